/* SPDX-License-Identifier: MIT */
/* lifecycle.h - a flow changes state, waits in lists and for its timer, closes
 */
#ifndef L4LB_LIFECYCLE_H
#define L4LB_LIFECYCLE_H

#include "core/state.h"

/*
 * Lists of flows that may be recycled, in the order in which they are. The
 * last one is of those that one side has finished, by when they were last
 * heard of.
 */
enum age_list { AGE_CLOSED, AGE_HALF_OPEN, AGE_HALF_CLOSED, AGE_LISTS };

/*
 * A list for all closed flows, one for all half-closed ones, one per service
 * for half-open ones.
 */
#define AGE_HEADS 2 /* and as many as there are services */

static inline uint32_t closed_head(const struct engine *e)
{
	return e->table.size;
}

static inline uint32_t half_closed_head(const struct engine *e)
{
	return e->table.size + 1;
}

static inline uint32_t half_open_head(const struct engine *e, unsigned service)
{
	return e->table.size + AGE_HEADS + service;
}

/* And all kinds once more for each pool of ports. */
static inline uint32_t pool_head(const struct engine *e, unsigned pool,
				 enum age_list list)
{
	return e->table.size + pool * AGE_LISTS + list;
}

uint64_t engine_deadline_ns(const struct engine *e, const struct flow *flow);
/* By that, as it is now. */
void engine_set_timer(struct engine *e, const struct flow *flow);

/* Puts the flow into the lists that its state and its port ask for, or only
 * out of those that it is in: before either becomes another service's or
 * pool's.
 */
void engine_list_flow(struct engine *e, struct flow *flow);
void engine_unlist_flow(struct engine *e, struct flow *flow);

/* A packet of a half-closed flow came: it is the last to be recycled. */
void engine_flow_moves(struct engine *e, struct flow *flow);

/*
 * Everything that follows from a change of state, wherever it came from.
 * @ending: the event to tell if the flow is closed now and was not before.
 */
void engine_state_changed(struct engine *e, struct flow *flow,
			  enum tcp_state was, enum flow_event ending);

void engine_close_flow(struct engine *e, struct flow *flow);

/* The same for a flow that may not be over: somebody else wants its place. */
void engine_displace_flow(struct engine *e, struct flow *flow);

/*
 * Ends a flow by resets that both sides believe (design rule 7). The mapping
 * stays to answer challenge ACKs.
 */
void engine_reset_flow(struct engine *e, struct flow *flow,
		       enum flow_event ending, uint64_t now_ns);

/* The backend refused it or did not answer: counted once for each backend. */
void engine_count_failed(struct engine *e, struct flow *flow);

#endif
