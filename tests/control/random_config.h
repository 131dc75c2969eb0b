/* SPDX-License-Identifier: MIT */
/*
 * random_config.h - any configuration, for the tests of its language
 */
#ifndef L4LB_RANDOM_CONFIG_H
#define L4LB_RANDOM_CONFIG_H

#include "control/config.h"
#include "core/random.h"

#define RANDOM_COMMAND_MAX 256

/*
 * As a file and the commands after it may have made it: few addresses and
 * names, so that two configurations have much in common.
 */
struct config random_config(struct random *r);
/* As only a file has made it. */
struct config random_file(struct random *r);
/* Applies up to @n random commands. */
void random_changes(struct random *r, struct config *c, unsigned n);

/*
 * A command about what @c has, or nearly: most of them are right, some are
 * refused.
 */
void random_command(struct random *r, const struct config *c,
		    char line[RANDOM_COMMAND_MAX]);

/* Frees the slots of all that leaves. */
void free_left(struct config *c);

/* Compares all that is live, whatever the slots are. NULL: equal. */
const char *config_difference(const struct config *a, const struct config *b);
/* The same, but an id that l4lb gave may be another one that it gave. */
const char *config_difference_but_ids(const struct config *a,
				      const struct config *b);

#endif
