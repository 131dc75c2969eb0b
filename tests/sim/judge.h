/* SPDX-License-Identifier: MIT */
/*
 * judge.h - what must hold after every step, whatever the network does
 *
 * Each rule calls world_break() when it does not. judge_step() walks the whole
 * table, which is small here.
 */
#ifndef L4LB_SIM_JUDGE_H
#define L4LB_SIM_JUDGE_H

#include "world.h"

void judge_step(struct world *w);

/* What takes longer, now and then: each live connection has its flow. */
void judge_live(struct world *w);

/* What takes longest: all that holds for an engine (rules.h). */
void judge_rules(struct world *w);

/* One packet went through the engine; NULL: it did not leave. */
void judge_forward(struct world *w, const struct origin *by,
		   const struct frame *in, const struct frame *out,
		   const struct engine_counters *before);

/* An ICMP error leaves. */
void judge_icmp(struct world *w, const struct pkt *p);

/* The engine tells what happens to a flow. */
void judge_flow(struct world *w, enum flow_event event, const struct flow *flow,
		const struct flow_note *note);
void judge_backend(struct world *w, enum backend_event event, unsigned service,
		   unsigned backend);

/* Adopted at a restart: all of them, or why not. */
void judge_restart(struct world *w, uint32_t before, int64_t adopted,
		   uint32_t refused);

/* A new connection to @service is to succeed: the network is fair, and some
 * backend is there or can be found in time.
 */
bool judge_must_answer(const struct world *w, unsigned service);

/* A reset was believed by an end that was connected. */
void judge_reset(struct world *w, const struct tcp_end *e,
		 const struct origin *by);

/* The fair phase is over; then the quiet one. */
void judge_fair(struct world *w);
void judge_quiet(struct world *w);

#endif
