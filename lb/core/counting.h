/* SPDX-License-Identifier: MIT */
/*
 * counting.h - counts what happens to flows, and writes their notes
 *
 * Each function is called once for what its name says; counters.h and note.h
 * say what is counted.
 */
#ifndef L4LB_COUNTING_H
#define L4LB_COUNTING_H

#include "core/state.h"

/* @flow was opened, or adopted from an earlier process. */
void counting_opened(struct engine *e, struct flow *flow);
void counting_adopted(struct engine *e, struct flow *flow);

/* A SYN of @service opened no flow. */
void counting_refused(struct engine *e, unsigned service,
		      const struct packet *syn, enum drop_reason why);

/* Its backend has it now, instead of @was. */
void counting_moved(struct engine *e, struct flow *flow, struct backend *was);

/* Its SYN-ACK is being forwarded. */
void counting_answered(struct engine *e, struct flow *flow, uint64_t now_ns);

/* The first payload of its backend is being forwarded. */
void counting_served(struct engine *e, struct flow *flow, uint64_t now_ns);

/* A segment of @side had only data that was sent before. */
void counting_repeated(struct engine *e, const struct flow *flow,
		       enum flow_side side);

/* Its backend refused, or did not answer: counts once per backend. */
void counting_failed(struct engine *e, struct flow *flow,
		     enum backend_failure kind);

/* It was in state @was, and is closed now or leaves the table. */
void counting_ended(struct engine *e, struct flow *flow, enum tcp_state was,
		    enum flow_end end);
void counting_revived(struct engine *e, const struct flow *flow);

/* A packet of @side is forwarded. */
static inline void counting_forwarded(struct engine *e, struct flow *flow,
				      enum flow_side side, uint32_t bytes)
{
	struct backend_counters *c = &engine_backend(e, flow)->counters;

	flow->packets[side]++;
	flow->bytes[side] += bytes;
	c->packets[side]++;
	c->bytes[side] += bytes;
}

#endif
