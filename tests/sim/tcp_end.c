/* SPDX-License-Identifier: MIT */
/* See tcp_end.h. Numbers in brackets are steps of RFC 9293 section 3.10.7. */
#include <string.h>

#include "core/tcp_track.h"
#include "judge.h"

#define RTO_MIN	    (200 * MS)
#define RTO_MAX	    (10 * SEC)
#define RTO_SYN	    SEC
#define RETRIES_SYN 6
#define RETRIES	    10
#define CWND_START  4
#define CWND_MAX    16
#define CHALLENGE   (500 * MS)
#define MSS_DEFAULT 536

enum { OPT_END, OPT_NOP, OPT_MSS, OPT_WSCALE, OPT_FAST_OPEN = 34 };

static const char *const names[] = {
	"CLOSED",     "SYN_SENT",   "SYN_RCVD", "ESTABLISHED", "FIN_WAIT_1",
	"FIN_WAIT_2", "CLOSE_WAIT", "CLOSING",	"LAST_ACK",    "TIME_WAIT",
};

const char *end_state_name(enum end_state state)
{
	return names[state];
}

static uint32_t min32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* -------------------------------------------------------------- sending */

static uint32_t first_byte(const struct tcp_end *e)
{
	return e->iss + 1;
}

static bool may_send_fin(const struct tcp_end *e)
{
	return e->closed && e->state != END_SYN_SENT &&
	       e->state != END_SYN_RCVD;
}

/* The sequence of our FIN, when there will be one. */
static uint32_t fin_seq(const struct tcp_end *e)
{
	return first_byte(e) + e->written;
}

/* The right edge of what we offer never moves left. */
static uint16_t offer_window(struct tcp_end *e, bool syn)
{
	uint32_t wnd = e->buffer > e->unread ? e->buffer - e->unread : 0;
	uint32_t promised = e->edge - e->rcv;
	unsigned shift = syn ? 0 : e->shift;
	uint32_t field;

	if (wnd < promised)
		wnd = promised + (1u << shift) - 1;
	field = min32(wnd >> shift, 65535);
	if (seq_after(e->rcv + (field << shift), e->edge))
		e->edge = e->rcv + (field << shift);
	return (uint16_t)field;
}

static uint32_t syn_options(const struct tcp_end *e, bool scale, uint8_t *opt)
{
	uint32_t n = 0;

	opt[n++] = OPT_MSS;
	opt[n++] = 4;
	opt[n++] = (uint8_t)(e->mss >> 8);
	opt[n++] = (uint8_t)e->mss;
	if (scale) {
		opt[n++] = OPT_NOP;
		opt[n++] = OPT_WSCALE;
		opt[n++] = 3;
		opt[n++] = e->shift;
	}
	if (e->fast_open && e->client && e->retries == 0) {
		opt[n++] = OPT_FAST_OPEN;
		opt[n++] = 10;
		memset(opt + n, 0xc0, 8);
		n += 8;
		opt[n++] = OPT_NOP;
		opt[n++] = OPT_NOP;
	}
	return n;
}

static void emit(struct world *w, struct tcp_end *e, struct frame *f)
{
	f->src = e->local;
	f->dst = e->remote;
	f->window = offer_window(e, f->flags & SYN);
	host_send(w, e->host, e, f);
}

static void send_ack(struct world *w, struct tcp_end *e)
{
	struct frame f = {.seq = e->nxt, .ack = e->rcv, .flags = ACK};

	if (seq_before(f.seq, e->max))
		f.seq = e->max;
	emit(w, e, &f);
}

static void send_challenge(struct world *w, struct tcp_end *e)
{
	if (e->challenged && w->now - e->challenged < CHALLENGE)
		return;
	e->challenged = w->now;
	send_ack(w, e);
}

static void send_syn(struct world *w, struct tcp_end *e)
{
	bool answer = e->state == END_SYN_RCVD;
	bool scale = e->shift && (!answer || e->peer_shift != TCP_NO_WSCALE);
	uint8_t opt[40], early[64];
	struct frame f = {
		.seq = e->iss,
		.ack = answer ? e->rcv : 0,
		.flags = (uint8_t)(answer ? SYN | ACK : SYN | e->syn_flags),
		.options = opt,
		.options_len = syn_options(e, scale, opt),
	};

	/* Repeated without (RFC 7413 section 4.1.3.1). */
	if (!answer && e->fast_open && e->retries == 0) {
		f.payload_len = min32(e->written, sizeof(early));
		for (uint32_t i = 0; i < f.payload_len; i++)
			early[i] = stream_byte(e->iss, i);
		f.payload = early;
	}
	emit(w, e, &f);
	e->nxt = e->iss + 1 + f.payload_len;
	if (seq_after(e->nxt, e->max))
		e->max = e->nxt;
}

/*
 * One segment at .nxt: what is there to send, and fits. @probe: at least one
 * byte, whatever the window. False if nothing was sent.
 */
static bool send_segment(struct world *w, struct tcp_end *e, bool probe)
{
	uint8_t bytes[PKT_MAX];
	uint32_t offset = e->nxt - first_byte(e);
	uint32_t open = e->una + e->wnd - e->nxt;
	uint32_t len = offset < e->written ? e->written - offset : 0;
	struct frame f = {.seq = e->nxt, .ack = e->rcv, .flags = ACK};
	bool fin;

	if (seq_after(e->nxt, e->una + e->wnd))
		open = 0;
	if (probe && open == 0)
		open = 1;
	len = min32(min32(len, e->peer_mss), open);
	fin = may_send_fin(e) && e->nxt + len == fin_seq(e) && len < open;
	if (len == 0 && !fin)
		return false;
	for (uint32_t i = 0; i < len; i++)
		bytes[i] = stream_byte(e->iss, offset + i);
	f.payload = bytes;
	f.payload_len = len;
	if (fin)
		f.flags |= FIN;
	if (len && offset + len == e->written)
		f.flags |= PSH;
	emit(w, e, &f);
	e->nxt += len + fin;
	if (seq_after(e->nxt, e->max))
		e->max = e->nxt;
	if (fin && e->state == END_ESTABLISHED)
		e->state = END_FIN_WAIT_1;
	if (fin && e->state == END_CLOSE_WAIT)
		e->state = END_LAST_ACK;
	return true;
}

static void arm(struct world *w, struct tcp_end *e, uint64_t at)
{
	e->deadline = at;
	if (e->armed && e->armed <= at)
		return;
	e->armed = at;
	world_at(w, at, EV_END_TIMER, (uint32_t)(e - w->ends), e->uid);
}

static bool has_work(const struct tcp_end *e)
{
	return e->nxt - first_byte(e) < e->written ||
	       (may_send_fin(e) && !seq_after(e->nxt, fin_seq(e)));
}

/* Something is unacknowledged, or the peer's window is shut. */
static void rearm(struct world *w, struct tcp_end *e)
{
	if (e->una != e->max || has_work(e))
		arm(w, e, w->now + e->rto);
	else
		e->deadline = 0;
}

void end_push(struct world *w, struct tcp_end *e)
{
	if (e->state == END_TIME_WAIT || !(end_synced(e) || e->early))
		return;
	while (e->nxt - e->una < e->cwnd * e->peer_mss)
		if (!send_segment(w, e, false))
			break;
	if (!e->deadline)
		rearm(w, e);
}

void end_read(struct world *w, struct tcp_end *e)
{
	bool shut = e->edge == e->rcv;

	e->unread = 0;
	if (end_synced(e) && (shut || roll(w, 4) == 0))
		send_ack(w, e);
}

void end_abort(struct world *w, struct tcp_end *e)
{
	struct frame f = {.seq = e->max, .flags = RST};

	if (e->state == END_CLOSED)
		return;
	if (roll(w, 2)) {
		f.flags |= ACK;
		f.ack = e->rcv;
	}
	if (end_synced(e))
		emit(w, e, &f);
	conn_over(w, e, RES_GONE);
	host_forget(w, e);
}

void end_shrink(struct world *w, struct tcp_end *e, uint16_t mtu)
{
	if (mtu < 68 + FRAME_HEADERS || mtu - FRAME_HEADERS >= e->peer_mss)
		return;
	e->peer_mss = (uint16_t)(mtu - FRAME_HEADERS);
	if (!end_synced(e) || e->una == e->max)
		return;
	e->nxt = e->una;
	end_push(w, e);
}

/* -------------------------------------------------------------- opening */

static void reset_counters(struct tcp_end *e)
{
	e->una = e->iss;
	e->nxt = e->max = e->iss + 1;
	e->rto = RTO_SYN;
	e->cwnd = CWND_START;
	e->peer_shift = TCP_NO_WSCALE;
	e->peer_mss = MSS_DEFAULT;
}

void end_connect(struct world *w, struct tcp_end *e)
{
	reset_counters(e);
	e->state = END_SYN_SENT;
	send_syn(w, e);
	rearm(w, e);
}

static void read_options(struct tcp_end *e, const struct frame *f)
{
	const uint8_t *o = f->options;

	for (uint32_t i = 0; i < f->options_len && o[i] != OPT_END;) {
		if (o[i] == OPT_NOP) {
			i++;
			continue;
		}
		if (i + 1 >= f->options_len || o[i + 1] < 2)
			break;
		if (o[i] == OPT_MSS)
			e->peer_mss = frame_get16(o + i + 2);
		if (o[i] == OPT_WSCALE)
			e->peer_shift = o[i + 2];
		i += o[i + 1];
	}
	if (e->peer_mss > PKT_MAX - FRAME_HEADERS)
		e->peer_mss = PKT_MAX - FRAME_HEADERS;
}

/* Scaling needs the offer of both (RFC 7323 section 2.2). */
static void agree_on_scaling(struct tcp_end *e)
{
	if (e->peer_shift == TCP_NO_WSCALE || e->shift == 0)
		e->shift = e->peer_shift = 0;
}

static void take_data(struct world *w, struct tcp_end *e,
		      const struct frame *f);

void end_accept(struct world *w, struct tcp_end *e, const struct frame *syn)
{
	reset_counters(e);
	e->state = END_SYN_RCVD;
	e->irs = syn->seq;
	e->rcv = e->edge = syn->seq + 1;
	e->wnd = syn->window;
	e->wl1 = syn->seq;
	read_options(e, syn);
	if (e->peer_shift == TCP_NO_WSCALE)
		e->shift = 0;
	if (e->fast_open && syn->payload_len) {
		struct frame data = *syn;

		data.seq++;
		data.flags = 0;
		e->edge = e->rcv + e->buffer;
		take_data(w, e, &data);
		e->early = true;
	}
	send_syn(w, e);
	agree_on_scaling(e);
	rearm(w, e);
	if (e->early)
		app_start(w, e);
}

/* ------------------------------------------------------------- receiving */

static void update_window(struct tcp_end *e, const struct frame *f)
{
	if (seq_after(e->wl1, f->seq) ||
	    (e->wl1 == f->seq && seq_after(e->wl2, f->ack)))
		return;
	e->wnd = (uint32_t)f->window << (f->flags & SYN ? 0 : e->peer_shift);
	e->wl1 = f->seq;
	e->wl2 = f->ack;
}

static void over(struct world *w, struct tcp_end *e, enum result how)
{
	conn_over(w, e, how);
	host_forget(w, e);
}

static void enter_time_wait(struct world *w, struct tcp_end *e)
{
	e->state = END_TIME_WAIT;
	conn_over(w, e, RES_DONE);
	arm(w, e, w->now + w->plan.time_wait_ns);
}

/* Our FIN was acknowledged. False: the end is no more. */
static bool fin_acked(struct world *w, struct tcp_end *e)
{
	switch (e->state) {
	case END_FIN_WAIT_1: e->state = END_FIN_WAIT_2; break;
	case END_CLOSING: enter_time_wait(w, e); break;
	case END_LAST_ACK: over(w, e, RES_DONE); return false;
	case END_CLOSED:
	case END_SYN_SENT:
	case END_SYN_RCVD:
	case END_ESTABLISHED:
	case END_FIN_WAIT_2:
	case END_CLOSE_WAIT:
	case END_TIME_WAIT: break;
	}
	return true;
}

static void note_dup_ack(struct world *w, struct tcp_end *e,
			 const struct frame *f)
{
	if (f->payload_len || (f->flags & (SYN | FIN)) || e->una == e->max)
		return;
	if (++e->dup_acks != 3)
		return;
	e->nxt = e->una;
	send_segment(w, e, true);
	e->nxt = e->max;
}

/* [5] False: nothing more is to be done with the segment. */
static bool take_ack(struct world *w, struct tcp_end *e, const struct frame *f)
{
	if (seq_after(f->ack, e->max)) {
		send_challenge(w, e);
		return false;
	}
	if (seq_before(f->ack, e->una - 65535))
		return false; /* RFC 5961 section 5.2 */
	if (seq_after(f->ack, e->una)) {
		e->una = f->ack;
		if (seq_before(e->nxt, e->una))
			e->nxt = e->una;
		e->retries = 0;
		e->dup_acks = 0;
		e->rto = RTO_MIN;
		if (e->cwnd < CWND_MAX)
			e->cwnd++;
		if (e->state != END_TIME_WAIT)
			rearm(w, e);
	} else if (f->ack == e->una) {
		note_dup_ack(w, e, f);
	}
	update_window(e, f);
	if (e->wnd == 0)
		e->retries = 0; /* shut is not silent */
	if (may_send_fin(e) && seq_after(e->una, fin_seq(e)))
		return fin_acked(w, e);
	return true;
}

static void remember(struct tcp_end *e, uint32_t from, uint32_t to)
{
	if (e->n_ranges < END_RANGES)
		e->ranges[e->n_ranges++] = (struct range){from, to};
}

/* Pieces that arrived earlier and have become the next ones. */
static void join(struct tcp_end *e)
{
	for (unsigned i = 0; i < e->n_ranges;) {
		const struct range *r = &e->ranges[i];

		if (seq_after(r->from, e->rcv)) {
			i++;
			continue;
		}
		if (seq_after(r->to, e->rcv))
			e->rcv = r->to;
		e->ranges[i] = e->ranges[--e->n_ranges];
		i = 0;
	}
}

/* [7] What lies inside the window, in order or not. */
static void take_data(struct world *w, struct tcp_end *e, const struct frame *f)
{
	uint32_t from = f->seq, to = f->seq + f->payload_len, was = e->rcv;

	if (seq_after(to, e->edge))
		to = e->edge;
	if (seq_before(from, e->rcv))
		from = e->rcv;
	if (!seq_before(from, to))
		return;
	conn_received(w, e, from - e->irs - 1, f->payload + (from - f->seq),
		      to - from);
	if (from == e->rcv)
		e->rcv = to;
	else
		remember(e, from, to);
	join(e);
	e->unread += e->rcv - was;
}

/* [8] */
static void take_fin(struct world *w, struct tcp_end *e)
{
	e->rcv++;
	if (seq_after(e->rcv, e->edge))
		e->edge = e->rcv;
	conn_received_fin(w, e);
	switch (e->state) {
	case END_SYN_RCVD:
	case END_ESTABLISHED: e->state = END_CLOSE_WAIT; break;
	case END_FIN_WAIT_1: e->state = END_CLOSING; break;
	case END_FIN_WAIT_2: enter_time_wait(w, e); break;
	case END_CLOSED:
	case END_SYN_SENT:
	case END_CLOSE_WAIT:
	case END_CLOSING:
	case END_LAST_ACK:
	case END_TIME_WAIT: break;
	}
}

static void take_text(struct world *w, struct tcp_end *e, const struct frame *f)
{
	uint32_t was = e->rcv;
	bool may = e->state == END_ESTABLISHED || e->state == END_FIN_WAIT_1 ||
		   e->state == END_FIN_WAIT_2;

	if (may && f->payload_len)
		take_data(w, e, f);
	if (may && (f->flags & FIN) && e->rcv == f->seq + f->payload_len)
		take_fin(w, e);
	if (frame_seq_len(f) && (e->rcv != was || seq_before(f->seq, was) ||
				 f->payload_len || (f->flags & FIN)))
		send_ack(w, e);
	if (e->state != END_CLOSED)
		end_push(w, e);
}

/* [1] The four cases of the table in section 3.4. */
static bool acceptable(const struct tcp_end *e, const struct frame *f)
{
	uint32_t len = frame_seq_len(f), last = f->seq + len - 1;
	bool first_in =
		!seq_before(f->seq, e->rcv) && seq_before(f->seq, e->edge);

	if (e->edge == e->rcv)
		return len == 0 && f->seq == e->rcv;
	if (len == 0)
		return first_in;
	return first_in ||
	       (!seq_before(last, e->rcv) && seq_before(last, e->edge));
}

static void unacceptable(struct world *w, struct tcp_end *e,
			 const struct frame *f)
{
	if (f->flags & RST)
		return;
	if (e->state == END_SYN_RCVD && (f->flags & SYN) && f->seq == e->irs) {
		send_syn(w, e);
		return;
	}
	if (e->state == END_TIME_WAIT && (f->flags & FIN))
		arm(w, e, w->now + w->plan.time_wait_ns);
	if (f->payload_len || (f->flags & FIN))
		send_ack(w, e); /* probably repeated for want of an ACK */
	else
		send_challenge(w, e);
}

/* [2] RFC 5961 section 3.2 */
static void take_rst(struct world *w, struct tcp_end *e, const struct frame *f,
		     const struct origin *by)
{
	if (f->seq != e->rcv) {
		send_challenge(w, e);
		return;
	}
	judge_reset(w, e, by);
	if (e->state == END_TIME_WAIT)
		host_forget(w, e);
	else
		over(w, e, RES_RESET);
}

static void reset_stranger(struct world *w, struct tcp_end *e,
			   const struct frame *f)
{
	struct frame rst = {
		.src = e->local, .dst = e->remote, .seq = f->ack, .flags = RST};

	host_send(w, e->host, NULL, &rst);
}

static void receive_syn_sent(struct world *w, struct tcp_end *e,
			     const struct frame *f, const struct origin *by)
{
	bool acks = (f->flags & ACK) && seq_after(f->ack, e->iss) &&
		    !seq_after(f->ack, e->max);

	if ((f->flags & ACK) && !acks) {
		if (!(f->flags & RST))
			reset_stranger(w, e, f);
		return;
	}
	if (f->flags & RST) {
		if (acks)
			over(w, e, RES_RESET);
		return;
	}
	if (!acks || !(f->flags & SYN))
		return;
	e->irs = f->seq;
	e->rcv = e->edge = f->seq + 1;
	e->una = e->nxt = f->ack;
	e->wl1 = f->seq;
	e->wl2 = f->ack;
	e->wnd = f->window;
	read_options(e, f);
	agree_on_scaling(e);
	e->state = END_ESTABLISHED;
	e->retries = 0;
	e->rto = RTO_MIN;
	conn_client_synced(w, e, by);
	send_ack(w, e);
	e->deadline = 0;
	end_push(w, e);
}

void end_receive(struct world *w, struct tcp_end *e, const struct frame *f,
		 const struct origin *by)
{
	if (e->state == END_SYN_SENT) {
		receive_syn_sent(w, e, f, by);
		return;
	}
	if (!acceptable(e, f)) {
		unacceptable(w, e, f);
		return;
	}
	if (f->flags & RST) {
		take_rst(w, e, f, by);
		return;
	}
	if (f->flags & SYN) { /* [4] RFC 5961 section 4.2 */
		send_challenge(w, e);
		return;
	}
	if (!(f->flags & ACK))
		return;
	if (e->state == END_SYN_RCVD) {
		if (!seq_after(f->ack, e->iss) || seq_after(f->ack, e->max)) {
			reset_stranger(w, e, f);
			return;
		}
		e->state = END_ESTABLISHED;
		e->wl1 = f->seq;
		e->wl2 = f->ack;
		e->wnd = (uint32_t)f->window << e->peer_shift;
		if (!e->early)
			app_start(w, e);
	}
	if (take_ack(w, e, f))
		take_text(w, e, f);
}

/* ---------------------------------------------------------------- timers */

static void retransmit(struct world *w, struct tcp_end *e)
{
	bool syn = e->state == END_SYN_SENT || e->state == END_SYN_RCVD;

	if (++e->retries > (syn ? RETRIES_SYN : RETRIES)) {
		over(w, e, RES_TIMEOUT);
		return;
	}
	e->rto = e->rto * 2 < RTO_MAX ? e->rto * 2 : RTO_MAX;
	if (syn) {
		send_syn(w, e);
	} else {
		e->cwnd = 1;
		e->dup_acks = 0;
		e->nxt = e->una;
		send_segment(w, e, true);
	}
	arm(w, e, w->now + e->rto);
}

void end_timer(struct world *w, struct tcp_end *e)
{
	e->armed = 0;
	if (!e->deadline)
		return;
	if (e->deadline > w->now) {
		arm(w, e, e->deadline);
		return;
	}
	if (e->state == END_TIME_WAIT)
		host_forget(w, e);
	else
		retransmit(w, e);
}
