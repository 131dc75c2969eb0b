/* SPDX-License-Identifier: MIT */
/*
 * running.h - the configuration of another process, a running l4lb
 */
#ifndef L4LB_RUNNING_H
#define L4LB_RUNNING_H

#include "control/config.h"

/*
 * What instance c->name runs, and the file as it last read it: from its
 * NAME.changes, or by its control channel, c->control. Waits for an answer for
 * a few seconds. -ESRCH: it does not run; -EACCES: only root may ask; -EIO: it
 * does not answer. The caller frees both; after an error there is nothing to
 * free.
 */
int running_read(const struct config *c, struct config *base,
		 struct config *running, struct err *err);

/*
 * The lines of an answer to `show`, as a configuration; @name: of the instance,
 * which they do not have if it was not chosen. After an error there is nothing
 * to free.
 */
int running_parse(const char *lines, const char *name, struct config *out,
		  struct err *err);

/*
 * Prints the commands that a reload of @c would lead to, and on stderr what
 * would stay and what needs a restart.
 */
int running_print_diff(const struct config *c, struct err *err);

#endif
