/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <string.h>

#include "core/tcp_track.h"

/*
 * An ACK may be this many bytes behind the newest data: reordered in the
 * network, or one window back (nf_conntrack's MAXACKWINDOW is similar).
 */
#define ACK_SLACK 66000

#define MSS_DEFAULT 536 /* without the option: RFC 9293 section 3.7.1 */

static const char *const state_names[] = {
	[TCP_SYN_SENT] = "SYN_SENT",
	[TCP_SYN_RECEIVED] = "SYN_RECEIVED",
	[TCP_ESTABLISHED] = "ESTABLISHED",
	[TCP_FIN_WAIT] = "FIN_WAIT",
	[TCP_CLOSING] = "CLOSING",
	[TCP_TIME_WAIT] = "TIME_WAIT",
	[TCP_RESET] = "RESET",
};
static_assert(sizeof(state_names) / sizeof(state_names[0]) == TCP_STATES,
	      "a name for every state");

const char *tcp_state_name(enum tcp_state state)
{
	assert(state < TCP_STATES);
	return state_names[state];
}

/* Sequence after the segment; SYN and FIN take one each (RFC 9293 3.4). */
static uint32_t segment_end(const struct tcp_segment *seg)
{
	return seg->seq + seg->len + !!(seg->flags & TCP_SYN) +
	       !!(seg->flags & TCP_FIN);
}

void tcp_track_open(struct tcp_track *t, const struct tcp_segment *syn)
{
	struct tcp_side *client = &t->side[FLOW_ORIG];

	memset(t, 0, sizeof(*t));
	client->end = segment_end(syn);
	t->syn_len = (uint16_t)(client->end - syn->seq - 1);
	client->mss = syn->mss ? syn->mss : MSS_DEFAULT;
	client->limit = syn->window;
	client->flags = TCP_SIDE_SEEN;
	if (syn->wscale != TCP_NO_WSCALE) {
		client->wscale = syn->wscale;
		client->flags |= TCP_SIDE_SCALES;
	}
	t->state = TCP_SYN_SENT;
}

/* The sequence after the client's SYN; valid until the client's first ACK. */
static uint32_t first_seq(const struct tcp_track *t)
{
	return t->side[FLOW_ORIG].end - t->syn_len;
}

bool tcp_track_acks_syn(const struct tcp_track *t,
			const struct tcp_segment *answer)
{
	return (answer->flags & TCP_ACK) &&
	       !seq_before(answer->ack, first_seq(t)) &&
	       !seq_after(answer->ack, t->side[FLOW_ORIG].end);
}

bool tcp_track_is_own_syn(const struct tcp_track *t,
			  const struct tcp_segment *syn)
{
	return syn->seq + 1 == first_seq(t);
}

bool tcp_track_superseded(const struct tcp_track *t,
			  const struct tcp_segment *syn)
{
	switch ((enum tcp_state)t->state) {
	case TCP_SYN_SENT: return !tcp_track_is_own_syn(t, syn);
	/* RFC 9293 section 3.6.1 asks for a SYN beyond the old sequence, as one
	 * host with one clock sends. Behind a client's NAT, or after more data
	 * than the clock counts, it may be lower. If we forwarded such a SYN
	 * through a flow that is over and the backend accepted it, its
	 * connection would have no flow. An old duplicate costs one handshake
	 * that its client resets.
	 */
	case TCP_TIME_WAIT:
	case TCP_RESET: return true;
	case TCP_SYN_RECEIVED:
	case TCP_ESTABLISHED:
	case TCP_FIN_WAIT:
	case TCP_CLOSING:
	case TCP_STATES: break;
	}
	return false;
}

/* The state by the flags and ACKs of both sides, also after a revival. */
static enum tcp_state open_state(const struct tcp_track *t)
{
	const struct tcp_side *c = &t->side[FLOW_ORIG];
	const struct tcp_side *b = &t->side[FLOW_REPLY];
	bool c_fin = c->flags & TCP_SIDE_FIN, b_fin = b->flags & TCP_SIDE_FIN;

	if (!(b->flags & TCP_SIDE_SEEN))
		return TCP_SYN_SENT;
	if (c_fin && b_fin)
		return !seq_before(b->ack, c->end) &&
				       !seq_before(c->ack, b->end)
			       ? TCP_TIME_WAIT
			       : TCP_CLOSING;
	if (c_fin || b_fin)
		return TCP_FIN_WAIT;
	return c->flags & TCP_SIDE_ACKED ? TCP_ESTABLISHED : TCP_SYN_RECEIVED;
}

bool tcp_track_mend(struct tcp_track *t)
{
	const uint8_t all =
		TCP_SIDE_SEEN | TCP_SIDE_ACKED | TCP_SIDE_FIN | TCP_SIDE_SCALES;
	struct tcp_side *c = &t->side[FLOW_ORIG], *b = &t->side[FLOW_REPLY];

	for (int i = 0; i < FLOW_SIDES; i++)
		if ((t->side[i].flags & ~all) ||
		    t->side[i].wscale > TCP_WSCALE_MAX)
			return false;
	if (!(c->flags & TCP_SIDE_SEEN) || t->state >= TCP_STATES)
		return false;
	if ((b->flags & (TCP_SIDE_SEEN | TCP_SIDE_ACKED)) !=
	    (TCP_SIDE_SEEN | TCP_SIDE_ACKED)) {
		/* The SYN-ACK was tracked only in part: it comes again. */
		if (c->flags & (TCP_SIDE_ACKED | TCP_SIDE_FIN))
			return false;
		memset(b, 0, sizeof(*b));
		c->limit = UINT16_MAX;
	}
	if (t->state != TCP_RESET)
		t->state = (uint8_t)open_state(t);
	return true;
}

/*
 * A receiver accepts a RST only at its RCV.NXT (RFC 9293 section 3.10.7.4, RFC
 * 5961 section 3.2). That is its last ACK or, if nothing was lost after us, the
 * end of what the other side sent.
 */
static bool rst_is_believed(const struct tcp_track *t, enum flow_side side,
			    const struct tcp_segment *seg)
{
	const struct tcp_side *from = &t->side[side], *to = &t->side[!side];

	if (t->state == TCP_SYN_SENT && side == FLOW_REPLY)
		return tcp_track_acks_syn(t, seg);
	if (!(from->flags & TCP_SIDE_SEEN))
		return false;
	return seg->seq == from->end ||
	       ((to->flags & TCP_SIDE_ACKED) && seg->seq == to->ack);
}

/*
 * True for the first SYN-ACK or a copy of it (RFC 5961 section 4.2), or for
 * another one while the client has not acknowledged any. Then the first was
 * lost after us, and the backend has forgotten it, because of SYN cookies or
 * memory pressure.
 */
static bool is_syn_ack(const struct tcp_track *t, const struct tcp_segment *seg)
{
	if (!(seg->flags & TCP_ACK))
		return false;
	if (!(t->side[FLOW_ORIG].flags & TCP_SIDE_ACKED))
		return tcp_track_acks_syn(t, seg);
	return segment_end(seg) == t->side[FLOW_REPLY].end;
}

/* True if the data is in the receiver's window and the ACK is of sent data. */
static bool in_window(const struct tcp_track *t, enum flow_side side,
		      const struct tcp_segment *seg)
{
	const struct tcp_side *from = &t->side[side], *to = &t->side[!side];
	uint32_t window;

	if ((seg->flags & TCP_SYN) && t->state == TCP_RESET)
		return false; /* proves nothing new */
	if (seg->flags & TCP_SYN)
		return side == FLOW_ORIG ? !(seg->flags & TCP_ACK) &&
						   tcp_track_is_own_syn(t, seg)
					 : is_syn_ack(t, seg);
	/* A side's sequence is unknown before its own SYN. */
	if (!(from->flags & TCP_SIDE_SEEN))
		return false;
	if (!(seg->flags & TCP_ACK))
		return false; /* RFC 9293 section 3.10.7.4, fifth */

	if ((to->flags & TCP_SIDE_ACKED) || side == FLOW_REPLY) {
		window = to->limit - to->ack;
		/* Not beyond the window; not older than one window. */
		if (seq_after(seg->seq, to->limit) ||
		    seq_before(segment_end(seg),
			       to->ack - (window > ACK_SLACK ? window
							     : ACK_SLACK)))
			return false;
	}
	/* The first ACK proves that its sender got the other side's SYN. With
	 * Fast Open, data may have followed that SYN already.
	 */
	if (!(from->flags & TCP_SIDE_ACKED))
		return (to->flags & TCP_SIDE_SEEN) &&
		       !seq_before(seg->ack, from->ack) &&
		       !seq_after(seg->ack, to->end);
	window = from->limit - from->ack;
	return !seq_after(seg->ack, to->end) &&
	       !seq_before(seg->ack,
			   to->end - ACK_SLACK -
				   (window > ACK_SLACK ? window : ACK_SLACK));
}

/* The backend's SYN-ACK: now the client's window has a start. */
static void note_syn(struct tcp_track *t, const struct tcp_segment *seg)
{
	struct tcp_side *from = &t->side[FLOW_REPLY];
	struct tcp_side *client = &t->side[FLOW_ORIG];

	if (from->flags & TCP_SIDE_SEEN) {
		if ((client->flags & TCP_SIDE_ACKED) ||
		    segment_end(seg) == client->ack)
			return; /* a retransmission */
		client->limit -= client->ack;
		from->flags = 0;
		/* After a kill the file must not have one half of this. */
		__atomic_signal_fence(__ATOMIC_RELEASE);
	}
	client->ack = segment_end(seg);
	client->limit += client->ack;
	from->flags |= TCP_SIDE_SEEN;
	from->end = segment_end(seg);
	from->mss = seg->mss ? seg->mss : MSS_DEFAULT;
	if (seg->wscale != TCP_NO_WSCALE) {
		from->wscale = seg->wscale;
		from->flags |= TCP_SIDE_SCALES;
	}
}

/* RFC 7323 section 2.2: scaling only if both sides offered it. */
static uint8_t shift_of(const struct tcp_track *t, enum flow_side side)
{
	const uint8_t both = t->side[0].flags & t->side[1].flags;

	return both & TCP_SIDE_SCALES ? t->side[side].wscale : 0;
}

uint16_t tcp_track_window(const struct tcp_track *t, enum flow_side side)
{
	const struct tcp_side *s = &t->side[side];
	uint32_t window = (s->limit - s->ack) >> shift_of(t, side);

	return window < UINT16_MAX ? (uint16_t)window : UINT16_MAX;
}

static void note_ack(struct tcp_track *t, enum flow_side side,
		     const struct tcp_segment *seg)
{
	struct tcp_side *from = &t->side[side];
	/* The window of a SYN is never scaled. */
	uint8_t shift = seg->flags & TCP_SYN ? 0 : shift_of(t, side);
	uint32_t limit = seg->ack + ((uint32_t)seg->window << shift);

	if (!(from->flags & TCP_SIDE_ACKED)) {
		from->ack = seg->ack;
		from->limit = limit;
		/* After a kill, a reader trusts both by the flag below. */
		__atomic_signal_fence(__ATOMIC_RELEASE);
		from->flags |= TCP_SIDE_ACKED;
		return;
	}
	if (seq_after(seg->ack, from->ack))
		from->ack = seg->ack;
	if (seq_after(limit, from->limit))
		from->limit = limit;
}

/* See tcp_track(). The segment is valid, and has not advanced .end. */
static bool is_repeated(const struct tcp_track *t, enum flow_side side,
			const struct tcp_segment *seg)
{
	const struct tcp_side *from = &t->side[side], *to = &t->side[!side];
	const uint32_t end = seg->seq + seg->len;

	if (seg->len == 0 || (seg->flags & TCP_SYN) ||
	    seq_after(end, from->end))
		return false;
	if (seg->len > 1 || !(to->flags & TCP_SIDE_ACKED))
		return true;
	return seq_after(end, to->ack) && seq_before(seg->seq, to->limit);
}

enum tcp_verdict tcp_track(struct tcp_track *t, enum flow_side side,
			   const struct tcp_segment *seg)
{
	struct tcp_side *from = &t->side[side];
	uint32_t end = segment_end(seg);
	bool fresh = false;

	if (seg->flags & TCP_RST) {
		if (!rst_is_believed(t, side, seg))
			return TCP_BAD_RST;
		if (t->state != TCP_TIME_WAIT)
			t->state = TCP_RESET;
		return TCP_VALID;
	}
	if (!in_window(t, side, seg))
		return TCP_OUT_OF_WINDOW;

	if ((seg->flags & TCP_SYN) && side == FLOW_REPLY)
		note_syn(t, seg);
	/* A copy without data came before this SYN with data. */
	if ((seg->flags & TCP_SYN) && side == FLOW_ORIG &&
	    !(from->flags & TCP_SIDE_ACKED) && seq_after(end, from->end))
		t->syn_len = (uint16_t)(t->syn_len + (end - from->end));
	if (seg->flags & TCP_ACK)
		note_ack(t, side, seg);
	/* Data after a FIN is ignored. */
	if (!(from->flags & TCP_SIDE_FIN)) {
		if ((seg->flags & TCP_FIN) && !seq_before(end, from->end))
			from->flags |= TCP_SIDE_FIN;
		fresh = seq_after(end, from->end);
		if (fresh)
			from->end = end;
	}
	t->state = (uint8_t)open_state(t);
	return !fresh && is_repeated(t, side, seg) ? TCP_REPEATED : TCP_VALID;
}
