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

#endif
