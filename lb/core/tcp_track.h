/* SPDX-License-Identifier: MIT */
/*
 * tcp_track.h - one TCP connection as a middlebox sees it
 *
 * Every segment of both sides passes through us, in the order in which the
 * receiver gets it, if it is not lost after us. So we know of each side its
 * highest sequence number, its ACK and its window. That is enough to tell a
 * segment of the connection from one forged by a guess (RFC 5961).
 *
 * Plain values without pointers: part of a flow, and so of the state file.
 */
#ifndef L4LB_TCP_TRACK_H
#define L4LB_TCP_TRACK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/packet.h"

enum flow_side { FLOW_ORIG, FLOW_REPLY, FLOW_SIDES };

/*
 * State     reached when                          left for
 * --------  ------------------------------------  ---------------------------
 * SYN_SENT  the client's SYN was forwarded        SYN_RECEIVED, RESET
 * SYN_RECEIVED  the backend's SYN-ACK was         ESTABLISHED, FIN_WAIT, RESET
 * ESTABLISHED   the client acknowledged it        FIN_WAIT, RESET
 * FIN_WAIT  one side's FIN was                    CLOSING, RESET
 * CLOSING   both sides' FINs were                 TIME_WAIT, RESET
 * TIME_WAIT both FINs were acknowledged           (a new SYN is a new flow)
 * RESET     a RST at exactly the receiver's       the state before, by an
 *           expected sequence was                 in-window segment (rule 6);
 *                                                 (a new SYN is a new flow)
 * A RST changes nothing in TIME_WAIT (RFC 1337).
 */
enum tcp_state {
	TCP_SYN_SENT,
	TCP_SYN_RECEIVED,
	TCP_ESTABLISHED,
	TCP_FIN_WAIT,
	TCP_CLOSING,
	TCP_TIME_WAIT,
	TCP_RESET,
	TCP_STATES
};

enum tcp_side_flag {
	TCP_SIDE_SEEN = 0x01,	/* sent its SYN: @end is meaningful */
	TCP_SIDE_ACKED = 0x02,	/* sent an ACK */
	TCP_SIDE_FIN = 0x04,	/* sent its FIN, which @end includes */
	TCP_SIDE_SCALES = 0x08, /* offered window scaling */
};

/*
 * @ack and @limit are valid from the first ACK on. Those of a client are set at
 * the SYN-ACK, from the window of its SYN; until then @limit is that window.
 */
struct tcp_side {
	uint32_t end;	/* sequence after the highest sent: its SND.NXT */
	uint32_t ack;	/* highest ACK it sent: its RCV.NXT, or a little less */
	uint32_t limit; /* the other side may send up to here */
	uint16_t mss;	/* largest segment it takes; 0: no SYN yet */
	uint8_t wscale; /* shift of its windows */
	uint8_t flags;	/* enum tcp_side_flag */
};

struct tcp_track {
	struct tcp_side side[FLOW_SIDES];
	uint8_t state;	  /* enum tcp_state */
	uint16_t syn_len; /* bytes of data in the client's SYN */
};

enum tcp_verdict {
	TCP_VALID,	   /* of this connection; the state is updated */
	TCP_REPEATED,	   /* valid, too: nothing but data sent before */
	TCP_OUT_OF_WINDOW, /* may be forged or very old: nothing changed */
	TCP_BAD_RST, /* a RST not at the expected sequence: nothing changed */
};

/*
 * Checks values read from a file: false if they are impossible. Completes what
 * a process left half done when it was killed between two stores.
 */
bool tcp_track_mend(struct tcp_track *t);

/* RFC 1982 comparison of sequence numbers */
static inline bool seq_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static inline bool seq_after(uint32_t a, uint32_t b)
{
	return seq_before(b, a);
}

/* Starts tracking with the client's first SYN. */
void tcp_track_open(struct tcp_track *t, const struct tcp_segment *syn);

/*
 * Tracks one segment from @side.
 *
 * TCP_REPEATED is a retransmission, as far as one can see from the middle: a
 * segment with data, and all of it at or below the highest sequence of that
 * side so far. It was lost on one of the two ways, or believed to be. Also
 * counted so is a segment that was overtaken on its way to us. Not counted:
 * repeated SYNs and bare FINs, segments that have new data or a new FIN besides
 * old data, and probes. Probes have one byte at most: that of a keepalive is
 * acknowledged already, that of a closed window is beyond its limit. (Linux
 * sends both without data.)
 */
enum tcp_verdict tcp_track(struct tcp_track *t, enum flow_side side,
			   const struct tcp_segment *seg);

/*
 * True if the client's SYN @syn on the ports of this connection opens a new
 * one. That is so if the old one is over or was reset; or if it has no answer
 * yet and @syn is no copy of its SYN. Copies of a SYN with data have no data
 * (RFC 7413 section 4.1.3).
 */
bool tcp_track_superseded(const struct tcp_track *t,
			  const struct tcp_segment *syn);

/* True if the client's SYN @syn may be a copy of the first one. */
bool tcp_track_is_own_syn(const struct tcp_track *t,
			  const struct tcp_segment *syn);

/*
 * True if a first answer acknowledges our SYN, with or without its data (RFC
 * 7413).
 */
bool tcp_track_acks_syn(const struct tcp_track *t,
			const struct tcp_segment *answer);

/* The window field for a segment with the present window of @side. */
uint16_t tcp_track_window(const struct tcp_track *t, enum flow_side side);

static inline bool tcp_is_half_open(enum tcp_state state)
{
	return state == TCP_SYN_SENT || state == TCP_SYN_RECEIVED;
}

/* At least one side has sent its FIN; the other may go on at will. */
static inline bool tcp_is_half_closed(enum tcp_state state)
{
	return state == TCP_FIN_WAIT || state == TCP_CLOSING;
}

static inline bool tcp_is_closed(enum tcp_state state)
{
	return state == TCP_TIME_WAIT || state == TCP_RESET;
}

/* As in the dump: "ESTABLISHED". */
const char *tcp_state_name(enum tcp_state state);

#endif
