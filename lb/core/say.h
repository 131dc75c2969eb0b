/* SPDX-License-Identifier: MIT */
/* say.h - segments that the engine originates */
#ifndef L4LB_SAY_H
#define L4LB_SAY_H

#include "core/state.h"

#define SEGMENTS_A_RESET 4 /* at most, for both sides of a flow */

/*
 * True if the resets of one more flow fit below @most. Code that resets many
 * flows stops if not, and goes on when the outbox has been sent.
 */
static inline bool engine_has_room(const struct engine *e, unsigned most)
{
	return e->outbox_used + SEGMENTS_A_RESET <= most;
}

/* False if the outbox is full. */
bool engine_originate(struct engine *e, const struct segment *seg);

/* The RST of RFC 9293 section 3.10.7.1, limited by @limit and answers.h. */
void engine_answer_reset(struct engine *e, const struct packet *p,
			 struct answer_limit *limit, uint64_t now_ns);

/* Resets one side only, where the other must not or need not know. */
void engine_reset_side(struct engine *e, const struct flow *flow,
		       enum flow_side side);

/*
 * A SYN for an established connection: the client has forgotten it, or somebody
 * guesses. The challenge ACK of RFC 5961 section 4.2 tells which: a client that
 * is really new answers with the RST that clears the flow and the backend, and
 * sends its SYN again. If we forwarded the SYN, it might open a connection that
 * we do not track.
 */
void engine_challenge(struct engine *e, const struct flow *flow,
		      const struct packet *syn, uint64_t now_ns);

/* Sends a keepalive probe to one side (RFC 9293 section 3.8.4). */
void engine_keepalive(struct engine *e, const struct flow *flow,
		      enum flow_side side);

#endif
