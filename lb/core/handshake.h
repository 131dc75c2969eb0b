/* SPDX-License-Identifier: MIT */
/*
 * handshake.h - a flow until its first SYN-ACK was forwarded
 *
 * Until then the client knows nothing of the backend, so the balancer may try
 * another one: it keeps the client's SYN and sends it again itself (design rule
 * 9). It also repeats the SYN to repair a port that the backend still remembers
 * (rule 8). It never repeats any other packet.
 */
#ifndef L4LB_HANDSHAKE_H
#define L4LB_HANDSHAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/pending.h"

/* The client repeats its SYN, @syn. */
void handshake_repeated(struct engine *e, struct flow *flow,
			const struct packet *syn, uint64_t now_ns);

/*
 * The backend answered a flow in SYN_SENT. True: the packet is handled and must
 * not be forwarded.
 */
bool handshake_answer(struct engine *e, struct flow *flow,
		      const struct packet *p, uint64_t now_ns);

/* An ICMP error reports the backend unreachable. True: handled, as above. */
bool handshake_unreachable(struct engine *e, struct flow *flow,
			   uint64_t now_ns);

/* The backend loses all its flows. True: this one has moved to another. */
bool handshake_leave(struct engine *e, struct flow *flow, uint64_t now_ns);

/* No backend answered, but we may be cut off: the client may try again. */
bool handshake_was_cut(const struct engine *e, const struct flow *flow);

/*
 * No answer in time. True: another backend was asked, or the silence is excused
 * and the wait starts over. False: the flow ends.
 *
 * Which failures count against a backend: see failed() in handshake.c.
 */
bool handshake_late(struct engine *e, struct flow *flow, uint64_t now_ns);

#endif
