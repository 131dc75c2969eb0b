/* SPDX-License-Identifier: MIT */
/*
 * tcp_end.h - one end of a TCP connection, as RFC 9293 and 5961 want it
 *
 * Small but honest: handshake, windows and their scaling, cumulative ACKs,
 * segments out of order, retransmission with back-off, window probes, both
 * closes, TIME_WAIT, resets believed at exactly the expected sequence only,
 * challenge ACKs at most every 500 ms. Without SACK, timestamps and real
 * congestion control.
 */
#ifndef L4LB_SIM_TCP_END_H
#define L4LB_SIM_TCP_END_H

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"
#include "conn.h"
#include "frames.h"

enum end_state {
	END_CLOSED,
	END_SYN_SENT,
	END_SYN_RCVD,
	END_ESTABLISHED,
	END_FIN_WAIT_1,
	END_FIN_WAIT_2,
	END_CLOSE_WAIT,
	END_CLOSING,
	END_LAST_ACK,
	END_TIME_WAIT,
};

#define END_RANGES 4 /* pieces received out of order */

struct range {
	uint32_t from, to;
};

struct tcp_end {
	enum end_state state;
	uint32_t uid;
	unsigned host;
	bool client;
	int32_t conn; /* -1: with nobody of this world */
	struct endpoint local, remote;

	uint32_t iss, una, nxt, max; /* max: the highest ever sent */
	uint32_t wnd, wl1, wl2;	     /* the peer's window */
	uint32_t irs, rcv, edge;     /* edge: of the window we offered */
	uint8_t shift, peer_shift;
	uint8_t syn_flags; /* ECN */
	uint16_t mss;	   /* we take */
	uint16_t peer_mss; /* at most, path MTU included */
	uint32_t cwnd;	   /* segments */
	struct range ranges[END_RANGES];
	unsigned n_ranges;

	uint64_t deadline, armed; /* of the timer; 0: none */
	uint64_t rto;
	unsigned retries, dup_acks;
	uint64_t challenged; /* time of the last challenge ACK */

	/* The application's side. */
	uint32_t total, written, unread, buffer;
	bool closed;	 /* nothing more will be written */
	bool close_last; /* only after the peer did */
	bool fast_open;
	bool early;  /* a server that took data with the SYN, and may answer it
		      */
	bool frozen; /* reads and writes nothing */
};

struct world;

/* Both need .local, .remote, .mss, .buffer set. */
void end_connect(struct world *w, struct tcp_end *e);
void end_accept(struct world *w, struct tcp_end *e, const struct frame *syn);

struct origin;
void end_receive(struct world *w, struct tcp_end *e, const struct frame *f,
		 const struct origin *by);
void end_timer(struct world *w, struct tcp_end *e);

/* The application wrote or closed. */
void end_push(struct world *w, struct tcp_end *e);
void end_read(struct world *w, struct tcp_end *e);
void end_abort(struct world *w, struct tcp_end *e);

/* A router reports: segments must be shorter. */
void end_shrink(struct world *w, struct tcp_end *e, uint16_t mtu);

static inline bool end_synced(const struct tcp_end *e)
{
	return e->state >= END_ESTABLISHED;
}

const char *end_state_name(enum end_state state);

#endif
