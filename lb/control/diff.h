/* SPDX-License-Identifier: MIT */
/*
 * diff.h - configurations as command lines
 *
 * Only what is live counts. Services are the same if they listen at the same
 * address, backends of a service if they have the same address; the slots only
 * give the order. Each line ends in a newline and has at most COMMAND_MAX bytes
 * before it. The same configurations in the same slots give
 * the same text.
 */
#ifndef L4LB_DIFF_H
#define L4LB_DIFF_H

#include "control/config.h"
#include "control/text.h"

/*
 * Adds the fewest commands that lead from one configuration to the other.
 * Things are added before others are removed, except where a new one needs the
 * name, id or address of an old one. Keys that are fixed while l4lb runs are
 * left out, and ids that @to has not used up yet are not taken back.
 * -ENOMEM.
 */
int diff_print(const struct config *from, const struct config *to,
	       struct text *out);

/* Adds the whole configuration, fixed keys included, for command_load(). */
int config_print(const struct config *c, struct text *out);

/* The live one at that address, or NULL. @hint: the slot to try first. */
const struct service_config *diff_find_service(const struct config *c,
					       const struct endpoint *listen,
					       unsigned hint);
const struct backend_config *diff_find_backend(const struct service_config *s,
					       const struct endpoint *addr,
					       unsigned hint);

#endif
