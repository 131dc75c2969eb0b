/* SPDX-License-Identifier: MIT */
/* say.h - what the engine says on its own account */
#ifndef L4LB_SAY_H
#define L4LB_SAY_H

#include "core/state.h"

#define SEGMENTS_A_RESET 4 /* of one flow, both sides, at the most */

/*
 * What resets many flows at once goes on only while those of one more have
 * room below @most: the rest waits until these are on the wire.
 */
static inline bool engine_has_room(const struct engine *e, unsigned most)
{
	return e->outbox_used + SEGMENTS_A_RESET <= most;
}

/* False if the outbox is full. */
bool engine_originate(struct engine *e, const struct segment *seg);

/* RFC 9293 section 3.10.7.1, at most as often as @limit and answers.h allow. */
void engine_answer_reset(struct engine *e, const struct packet *p,
			 struct answer_limit *limit, uint64_t now_ns);

/* One side only; used where the other must not or need not be told. */
void engine_reset_side(struct engine *e, const struct flow *flow,
		       enum flow_side side);

/*
 * A SYN for a connection that was answered: the client has forgotten it, or
 * somebody guesses. The challenge ACK of RFC 5961 section 4.2 finds out: who
 * is new answers with the reset that clears both us and the backend, and comes
 * again. Passed on, the SYN might open a connection that we do not follow.
 */
void engine_challenge(struct engine *e, const struct flow *flow,
		      const struct packet *syn, uint64_t now_ns);

/* Asks one side whether it is still there (RFC 9293 section 3.8.4). */
void engine_keepalive(struct engine *e, const struct flow *flow,
		      enum flow_side side);

#endif
