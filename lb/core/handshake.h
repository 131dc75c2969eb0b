/* SPDX-License-Identifier: MIT */
/*
 * handshake.h - a flow until its first SYN-ACK was forwarded
 *
 * Until then the client knows nothing of the backend, so the balancer may try
 * another one: it keeps the client's SYN and sends it again itself (design
 * rule 9). The same SYN repairs a port that the backend still remembers (rule
 * 8). No other packet is ever repeated by the balancer.
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
 * The backend answered a flow in SYN_SENT. True: the packet was dealt with
 * here and goes no further.
 */
bool handshake_answer(struct engine *e, struct flow *flow,
		      const struct packet *p, uint64_t now_ns);

/* An ICMP error says that the backend cannot be reached; the same. */
bool handshake_unreachable(struct engine *e, struct flow *flow,
			   uint64_t now_ns);

/* The backend is to lose its flows, for no fault of this one; the same. */
bool handshake_leave(struct engine *e, struct flow *flow, uint64_t now_ns);

/* Nobody answered, but perhaps nobody could: its client may try again. */
bool handshake_was_cut(const struct engine *e, const struct flow *flow);

/*
 * No answer in time. True: another one was asked, or there is an excuse and it
 * is waited for anew. False: the end.
 *
 * What is held against a backend, and when: see failed() in handshake.c.
 */
bool handshake_late(struct engine *e, struct flow *flow, uint64_t now_ns);

#endif
