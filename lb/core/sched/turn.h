/* SPDX-License-Identifier: MIT */
/*
 * turn.h - the schedulers by turn: rr and wrr
 *
 * @may: the @n backends to choose from, at least one. Private to core/sched/.
 */
#ifndef L4LB_TURN_H
#define L4LB_TURN_H

#include "core/sched/choose.h"

/* Slow start gives a recovering backend less than its weight. */
static inline unsigned turn_share(const struct service *s,
				  const struct backend *b, uint64_t now_ns)
{
	return s->params.checked && b->health.recovered
		       ? health_share(&b->health, now_ns)
		       : HEALTH_SHARE_FULL;
}

/* How many turns until it is @b's, those of absent backends included. */
static inline unsigned turn_of(const struct service *s, const struct backend *b)
{
	return (b->index - s->sched.next) % SERVICE_BACKENDS_MAX;
}

/* Ignores weights: one flow each in turn. */
struct backend *turn_next(const struct service *s, struct backend *const *may,
			  unsigned n);

/* True if weights do not count but a slow start does: then as wrr does. */
bool turn_is_ramping(const struct service *s, struct backend *const *may,
		     unsigned n, uint64_t now_ns);

/*
 * By weight, among @why->may. @equal: all have weight 1, apart from slow start.
 * turn_charge() is for whom turn_weighted() has chosen.
 */
struct backend *turn_weighted(const struct service *s, struct sched_why *why,
			      bool equal, uint64_t now_ns);
void turn_charge(struct service *s, struct backend *b,
		 const struct sched_why *why);

/* All begin a new round. */
void turn_forget(struct service *s);

#endif
