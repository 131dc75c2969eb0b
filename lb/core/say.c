/* SPDX-License-Identifier: MIT */
/*
 * say.c - segments that the engine originates
 *
 * They wait in the outbox until the caller fetches them (engine_next). A
 * receiver accepts a RST only at exactly the sequence number it expects (RFC
 * 5961 section 3.2): that of its last ACK, or the end of the data sent to it
 * since. After losses neither may be right; then its challenge ACK has the
 * right one. So we send a RST at both numbers, and the flow stays to answer.
 */
#include "core/lookup.h"
#include "core/say.h"
#include "core/state.h"

bool engine_originate(struct engine *e, const struct segment *seg)
{
	struct segment *out;

	if (e->outbox_used == ENGINE_OUTBOX_MAX) {
		e->counters.outbox_lost++;
		return false;
	}
	out = &e->outbox[(e->outbox_head + e->outbox_used++) %
			 ENGINE_OUTBOX_MAX];
	*out = *seg;
	/* Only segments to clients have a service's address as their source. */
	out->to_backend = engine_find_service(e, &seg->src) < 0;
	e->counters.originated++;
	return true;
}

bool engine_next(struct engine *e, struct segment *out)
{
	if (e->outbox_used == 0)
		return false;
	*out = e->outbox[e->outbox_head];
	e->outbox_head = (e->outbox_head + 1) % ENGINE_OUTBOX_MAX;
	e->outbox_used--;
	return true;
}

/* False: over a limit, and counted. */
static bool may_answer(struct engine *e, const struct packet *p, unsigned most,
		       struct answer_limit *limit, uint64_t now_ns)
{
	if (!answers_pair(&e->answers, &e->random, p->hash, most, now_ns)) {
		e->counters.answers_spared++;
		return false;
	}
	if (!answers_all(limit, &e->random, now_ns)) {
		e->counters.answers_limited++;
		return false;
	}
	return true;
}

void engine_answer_reset(struct engine *e, const struct packet *p,
			 struct answer_limit *limit, uint64_t now_ns)
{
	struct segment rst = {.src = p->key.pair.dst, .dst = p->key.pair.src};

	if (p->tcp.flags & TCP_RST)
		return; /* never answer a RST */
	if (!may_answer(e, p, ANSWERS_RESETS, limit, now_ns))
		return;
	if (p->tcp.flags & TCP_ACK) {
		rst.seq = p->tcp.ack;
		rst.flags = TCP_RST;
	} else {
		rst.ack = p->tcp.seq + p->tcp.len + !!(p->tcp.flags & TCP_SYN) +
			  !!(p->tcp.flags & TCP_FIN);
		rst.flags = TCP_RST | TCP_ACK;
	}
	engine_originate(e, &rst);
}

void engine_reset_side(struct engine *e, const struct flow *flow,
		       enum flow_side side)
{
	const struct tcp_side *to = &flow->tcp.side[side];
	const struct tcp_side *peer = &flow->tcp.side[!side];
	struct segment rst = {
		.src = flow->pair[side].dst,
		.dst = flow->pair[side].src,
		.flags = TCP_RST,
	};

	if (!(to->flags & TCP_SIDE_ACKED) && side == FLOW_ORIG) {
		/* A client in SYN_SENT accepts a RST with an ACK of its SYN. */
		rst.flags |= TCP_ACK;
		rst.ack = to->end;
		if (peer->flags & TCP_SIDE_SEEN)
			rst.seq = peer->end;
		engine_originate(e, &rst);
		return;
	}
	rst.seq = to->flags & TCP_SIDE_ACKED ? to->ack : peer->end;
	engine_originate(e, &rst);
	if (seq_after(peer->end, rst.seq)) {
		rst.seq = peer->end;
		engine_originate(e, &rst);
	}
}

void engine_challenge(struct engine *e, const struct flow *flow,
		      const struct packet *syn, uint64_t now_ns)
{
	const struct tcp_side *backend = &flow->tcp.side[FLOW_REPLY];
	/* Acknowledges no more than the backend did, with no larger window: to
	 * the client it is a window update.
	 */
	const struct segment ack = {
		.src = flow->pair[FLOW_ORIG].dst,
		.dst = flow->pair[FLOW_ORIG].src,
		.seq = flow->tcp.side[FLOW_ORIG].ack,
		.ack = backend->ack,
		.flags = TCP_ACK,
		.window = tcp_track_window(&flow->tcp, FLOW_REPLY),
	};

	if (may_answer(e, syn, ANSWERS_ACKS, &e->limit_challenge, now_ns))
		engine_originate(e, &ack);
}

void engine_keepalive(struct engine *e, const struct flow *flow,
		      enum flow_side side)
{
	const struct tcp_side *to = &flow->tcp.side[side];
	struct segment probe = {
		.src = flow->pair[side].dst,
		.dst = flow->pair[side].src,
		.seq = to->ack - 1, /* already acknowledged: an ACK is due */
		.ack = to->end,
		.flags = TCP_ACK,
		.window = 1024,
	};

	engine_originate(e, &probe);
}
