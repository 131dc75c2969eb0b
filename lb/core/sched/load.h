/* SPDX-License-Identifier: MIT */
/*
 * load.h - the schedulers by load: lc, wlc and p2c
 *
 * @may: the @n backends to choose from, at least one. Private to core/sched/.
 */
#ifndef L4LB_LOAD_H
#define L4LB_LOAD_H

#include "core/service.h"

/* Fewest flows; among equals in turn. */
struct backend *load_least(const struct service *s, struct backend *const *may,
			   unsigned n, uint64_t now_ns);

/* Fewest flows for its weight, the new one included; among equals in turn. */
struct backend *load_least_weighted(const struct service *s,
				    struct backend *const *may, unsigned n,
				    uint64_t now_ns);

/* Two at random, and of these the one that is less loaded and answers faster.
 */
struct backend *load_better_of_two(const struct service *s,
				   struct backend *const *may, unsigned n,
				   uint64_t now_ns);

#endif
