/* SPDX-License-Identifier: MIT */
/*
 * reload.h - what l4lb asks of the planner, and what it answers: lines of text
 *
 * A request is "plan N" or "plan N reset", then "running LINE" and "base LINE"
 * for each command of config_print(), then "go". N is its number. The answer:
 *
 *   answer N         to which request; 0: to the one that is asked now
 *   change LINE      a command that leads from what runs to what is wanted
 *   base LINE        the file as it was read now, the base of the next reload
 *   kept SENTENCE    something of run time that stays
 *   restart SENTENCE what the file says and a restart alone can do
 *   warn SENTENCE    a name that could not be found
 *   end              that was all; or instead of all of it:
 *   error SENTENCE   nothing is to change
 *
 * A process that is killed after its last line is reported all the same. So
 * there may be more than one answer to a request; all but the first are skipped
 * by their number.
 */
#ifndef L4LB_RELOAD_H
#define L4LB_RELOAD_H

#include "control/command.h"
#include "control/text.h"

/* Bytes of a line: a command behind its word, or a sentence. */
#define RELOAD_LINE_MAX (COMMAND_MAX + 16)

struct reload {
	bool reset;
	struct config base, running;
};

/*
 * Adds the lines of one service, and the global ones with each, as "running" or
 * "base" (@word). A configuration without services has part 0 alone. -ENOMEM.
 */
int reload_ask_part(const char *word, const struct config *c, unsigned service,
		    struct text *out);
/* @name: of the instance, which the lines do not have if it was not chosen. */
int reload_init(struct reload *r, const char *name, struct err *err);
/* Takes a line of the request that is neither "plan..." nor "go". */
int reload_take(struct reload *r, const char *line, struct err *err);
/*
 * Adds the answer, without its last line. @theirs: the file as it is now; its
 * ids become those of the result.
 */
int reload_answer(struct reload *r, struct config *theirs, struct text *out,
		  struct err *err);
void reload_free(struct reload *r);

#endif
