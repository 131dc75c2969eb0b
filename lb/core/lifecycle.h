/* SPDX-License-Identifier: MIT */
/* lifecycle.h - states of a flow: its lists, its timer, its end */
#ifndef L4LB_LIFECYCLE_H
#define L4LB_LIFECYCLE_H

#include "core/state.h"

/*
 * Lists of flows that may be recycled, in the order of recycling.
 * AGE_HALF_CLOSED has flows that at least one side has closed, by time of their
 * last packet.
 */
enum age_list { AGE_CLOSED, AGE_HALF_OPEN, AGE_HALF_CLOSED, AGE_LISTS };

/*
 * One list of all closed flows, one of all half-closed flows, and one of
 * half-open flows for each service.
 */
#define AGE_HEADS 2 /* plus one per service */

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

/* The same three lists for each pool of ports. */
static inline uint32_t pool_head(const struct engine *e, unsigned pool,
				 enum age_list list)
{
	return e->table.size + pool * AGE_LISTS + list;
}

uint64_t engine_deadline_ns(const struct engine *e, const struct flow *flow);
/* Sets the timer to engine_deadline_ns() as it is now. */
void engine_set_timer(struct engine *e, const struct flow *flow);

/*
 * Puts the flow into the lists for its state and pool, or takes it out of all
 * lists. Take it out before its service or pool changes.
 */
void engine_list_flow(struct engine *e, struct flow *flow);
void engine_unlist_flow(struct engine *e, struct flow *flow);

/* Moves a half-closed flow to the end of its lists, as a packet of it came. */
void engine_flow_moves(struct engine *e, struct flow *flow);

/*
 * Does all that follows from a change of state, whatever caused it. @end: why,
 * if the flow is closed now and was not before.
 */
void engine_state_changed(struct engine *e, struct flow *flow,
			  enum tcp_state was, enum flow_end end);

/* Removes it from the table. @end: why, if it is not closed before. */
void engine_close_flow(struct engine *e, struct flow *flow, enum flow_end end);

/* The same for one that may still be in use: both sides are told. */
void engine_displace_flow(struct engine *e, struct flow *flow,
			  enum flow_end end);

/*
 * Ends a flow by resets that both sides accept (design rule 7). The mapping
 * stays to answer challenge ACKs.
 */
void engine_reset_flow(struct engine *e, struct flow *flow, enum flow_end end,
		       uint64_t now_ns);

#endif
