/* SPDX-License-Identifier: MIT */
/*
 * Every packet of a service, from either side, goes through engine_packet():
 * find its flow, track the connection, rewrite, send. The backend is chosen
 * once per connection, in engine_open_flow().
 */
#include "core/counting.h"
#include "core/health/active.h"
#include "core/handshake.h"
#include "core/lifecycle.h"
#include "core/lookup.h"
#include "core/opening.h"
#include "core/pools.h"
#include "core/say.h"
#include "core/sched/choose.h"
#include "core/state.h"
#include "core/sweep.h"

#define MOVED_NS (1ull << 27) /* 134 ms */
#define LEFT_NS	 NS_PER_S     /* between two looks at what leaves */

static enum verdict drop(struct engine *e, enum drop_reason why)
{
	e->counters.dropped[why]++;
	return VERDICT_DROP;
}

static enum verdict consume(struct engine *e)
{
	e->counters.consumed++;
	return VERDICT_CONSUMED;
}

void engine_refused(struct engine *e, enum drop_reason why)
{
	e->counters.received++;
	drop(e, why);
}

void engine_unsent(struct engine *e, enum drop_reason why, uint64_t count)
{
	e->counters.forwarded -= count;
	e->counters.dropped[why] += count;
}

void engine_prepare(const struct engine *e, struct packet *packets, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		packets[i].hash = flow_hash(&e->table, &packets[i].key);
		flow_prefetch_slot(&e->table, packets[i].hash);
	}
	for (unsigned i = 0; i < n; i++)
		flow_prefetch(&e->table, packets[i].hash);
}

static bool is_from_backend(const struct engine *e, const struct packet *p)
{
	int pool = -1;

	if (engine_is_nat_port(e, ntohs(p->key.pair.dst.port)))
		pool = engine_find_pool(e, &p->key.pair.dst.addr,
					&p->key.pair.src);
	return pool >= 0 && pools_in_use(&e->pools[pool]);
}

/* A packet without a flow that is no SYN: reset the sender (design rule 5). */
static enum verdict out_of_state(struct engine *e, const struct packet *p,
				 int service, uint64_t now_ns)
{
	if (service >= 0) {
		/* Its connection may have moved with the address to another
		 * host.
		 */
		if (e->services[service].away)
			return drop(e, DROP_NOT_OURS);
		if (e->services[service].params.reset_out_of_state)
			engine_answer_reset(e, p, &e->limit_stray, now_ns);
		return drop(e, DROP_OUT_OF_STATE);
	}
	if (engine_check_answer(e, p, now_ns))
		return consume(e);
	/* Other packets to our addresses are for the host's own stack, which
	 * has received them too.
	 */
	if (!is_from_backend(e, p))
		return drop(e, DROP_NOT_OURS);
	engine_answer_reset(e, p, &e->limit_reply, now_ns);
	return drop(e, DROP_OUT_OF_STATE);
}

/*
 * Only packets of the connection keep it alive. Possible answers to keepalive
 * probes must come from both sides: otherwise the flow of a vanished client
 * would live as long as its backend.
 */
static void note_alive(struct engine *e, struct flow *flow, enum flow_side side,
		       const struct packet *p, enum tcp_state was,
		       uint64_t now_ns)
{
	if (flow->keepalives && p->tcp.len == 0 && flow->tcp.state == was) {
		flow->answered |= (uint8_t)(1 << side);
		if (flow->answered != (1 << FLOW_ORIG | 1 << FLOW_REPLY))
			return;
	}
	/* Not for each packet: a move costs a dozen cache lines. */
	if ((flow->flags & FLOW_HALF_CLOSED) &&
	    now_ns / MOVED_NS != flow->seen_ns / MOVED_NS)
		engine_flow_moves(e, flow);
	flow->seen_ns = now_ns;
	flow->keepalives = 0;
	flow->answered = 0;
}

/* Why a packet from @side has closed the flow. */
static enum flow_end end_by(const struct flow *flow, enum flow_side side,
			    enum tcp_state was)
{
	if (flow->tcp.state != TCP_RESET)
		return FLOW_END_CLOSED;
	if (side == FLOW_ORIG)
		return FLOW_END_CLIENT_RESET;
	return was == TCP_SYN_SENT ? FLOW_END_REFUSED : FLOW_END_BACKEND_RESET;
}

/* A segment that is not just the next one. True: it is of the connection. */
static bool is_followed(struct engine *e, const struct flow *flow,
			enum flow_side side, enum tcp_verdict verdict)
{
	switch (verdict) {
	case TCP_VALID: break;
	case TCP_REPEATED: counting_repeated(e, flow, side); break;
	case TCP_OUT_OF_WINDOW: e->counters.out_of_window++; return false;
	case TCP_BAD_RST: e->counters.bad_rst++; return false;
	}
	return true;
}

static void follow(struct engine *e, struct flow *flow, enum flow_side side,
		   const struct packet *p, uint64_t now_ns)
{
	enum tcp_state was = flow->tcp.state;
	enum tcp_verdict verdict = tcp_track(&flow->tcp, side, &p->tcp);

	if (verdict != TCP_VALID && !is_followed(e, flow, side, verdict))
		return;
	note_alive(e, flow, side, p, was, now_ns);
	if (flow->tcp.state != was) {
		if (was == TCP_SYN_SENT && !tcp_is_closed(flow->tcp.state))
			counting_answered(e, flow, now_ns);
		engine_state_changed(e, flow, was, end_by(flow, side, was));
	} else if (was == TCP_SYN_SENT && side == FLOW_ORIG &&
		   packet_opens(p)) {
		handshake_repeated(e, flow, p, now_ns);
	}
	if ((flow->flags & FLOW_UNSERVED) && side == FLOW_REPLY && p->tcp.len)
		counting_served(e, flow, now_ns);
}

/*
 * MPTCP in a client's SYN: MP_CAPABLE is removed, so that the connection is
 * plain TCP. True: the SYN was an MP_JOIN and is refused, since we do not know
 * the backend of its connection; the client goes on without that path.
 */
static bool refuses_join(struct engine *e, unsigned service, struct packet *p,
			 uint64_t now_ns)
{
	if (e->services[service].params.mptcp_pass || e->services[service].away)
		return false;
	switch (packet_mptcp(p)) {
	case PACKET_NO_MPTCP: break;
	case PACKET_MP_CAPABLE: packet_strip_mptcp(p); break;
	case PACKET_MP_JOIN:
		engine_answer_reset(e, p, &e->limit_refused, now_ns);
		return true;
	}
	return false;
}

static enum verdict forward(struct engine *e, struct flow *flow,
			    enum flow_side side, struct packet *p)
{
	counting_forwarded(e, flow, side, packet_len(p));
	packet_rewrite(p, &flow->pair[!side].dst, &flow->pair[!side].src);
	p->out_mss = flow->tcp.side[!side].mss;
	p->out_mtu = flow->mtu[!side];
	p->to_backend = side == FLOW_ORIG;
	e->counters.forwarded++;
	return VERDICT_SEND;
}

/* A packet without a flow that opens none. */
static enum verdict on_stray(struct engine *e, const struct packet *p,
			     uint64_t now_ns)
{
	if (!endpoint_is_host(&p->key.pair.src))
		return drop(e, DROP_BAD_IP); /* no host to answer */
	return out_of_state(e, p, engine_find_service(e, &p->key.pair.dst),
			    now_ns);
}

/* The flow that a SYN opens, or NULL with the reason in *why. */
static struct flow *admit(struct engine *e, unsigned service, struct packet *p,
			  uint64_t now_ns, enum drop_reason *why)
{
	*why = DROP_SYN_OVERLOAD;
	if (!syn_gate_passes(&e->gate, p->hash, p->tcp.seq, now_ns))
		return NULL;
	*why = DROP_MPTCP_JOIN;
	if (refuses_join(e, service, p, now_ns))
		return NULL;
	return engine_open_flow(e, service, p, now_ns, why);
}

/*
 * Silence makes the client try again. That only helps if the backends, an
 * address or a route of this host may come back, or fewer SYNs come.
 */
static bool may_try_again(const struct service *s, enum drop_reason why)
{
	return why == DROP_SYN_OVERLOAD || why == DROP_NOT_OURS ||
	       why == DROP_NO_ROUTE ||
	       (why == DROP_NO_BACKEND && s->params.drop_all_down);
}

/*
 * A first SYN without a flow. The flow that it opens; NULL: it opens none, and
 * *verdict is what becomes of it.
 */
static struct flow *on_first(struct engine *e, struct packet *p,
			     uint64_t now_ns, enum verdict *verdict)
{
	const int service = engine_find_service(e, &p->key.pair.dst);
	enum drop_reason why;
	struct flow *flow;

	if (service < 0 || !endpoint_is_host(&p->key.pair.src)) {
		*verdict = on_stray(e, p, now_ns);
		return NULL;
	}
	flow = admit(e, (unsigned)service, p, now_ns, &why);
	if (flow)
		return flow;
	/* A join was told by refuses_join(). */
	if (!may_try_again(&e->services[service], why) &&
	    why != DROP_MPTCP_JOIN)
		engine_answer_reset(e, p, &e->limit_refused, now_ns);
	counting_refused(e, (unsigned)service, p, why);
	*verdict = drop(e, why);
	return NULL;
}

/* What a packet is to the flow of its addresses. */
enum packet_kind {
	PACKET_STRAY,	   /* there is none, and it opens none */
	PACKET_FIRST,	   /* a client's SYN: there is none */
	PACKET_SUPERSEDES, /* a client's SYN: the flow is closed */
	PACKET_REPEATS,	   /* a client's SYN: the one that opened the flow */
	PACKET_INTRUDES,   /* a client's SYN: another, into a living flow */
	PACKET_WRONG_WAY,  /* opens a connection in the wrong direction */
	PACKET_OF_KILLED,  /* we reset the flow; its sender goes on */
	PACKET_ANSWERS,	   /* from a backend that has not answered yet */
	PACKET_CONTINUES,  /* any other: what most packets are */
};

/*
 * A SYN from the backend, or a SYN-ACK from the client. If we forwarded those,
 * a backend could open connections to its clients, and to anybody whose address
 * was forged as a client's. No legitimate connection needs them: the service
 * would have to connect to the client's port.
 */
static bool is_wrong_way(const struct packet *p, enum flow_side side)
{
	return (p->tcp.flags & TCP_SYN) &&
	       !(p->tcp.flags & TCP_ACK) == (side == FLOW_REPLY);
}

/* @flow: NULL if there is none. @side: of the flow, that sent @p. */
static enum packet_kind classify(const struct flow *flow, enum flow_side side,
				 const struct packet *p)
{
	const bool syn = packet_opens(p);

	if (!flow)
		return syn ? PACKET_FIRST : PACKET_STRAY;
	if (syn && side == FLOW_ORIG &&
	    tcp_track_superseded(&flow->tcp, &p->tcp))
		return PACKET_SUPERSEDES;
	if (is_wrong_way(p, side))
		return PACKET_WRONG_WAY;
	if (flow->flags & FLOW_KILLED)
		return PACKET_OF_KILLED;
	if (syn)
		return tcp_track_is_own_syn(&flow->tcp, &p->tcp)
			       ? PACKET_REPEATS
			       : PACKET_INTRUDES;
	if (flow->tcp.state == TCP_SYN_SENT && side == FLOW_REPLY)
		return PACKET_ANSWERS;
	return PACKET_CONTINUES;
}

/*
 * True: the packet is to be forwarded by @flow, which is the one that it opens
 * if there was none. Otherwise *verdict is what becomes of it.
 */
static bool belongs(struct engine *e, struct flow **flow, enum flow_side side,
		    struct packet *p, uint64_t now_ns, enum verdict *verdict)
{
	switch (classify(*flow, side, p)) {
	case PACKET_STRAY: *verdict = on_stray(e, p, now_ns); return false;
	case PACKET_SUPERSEDES:
	case PACKET_FIRST:
		if (*flow)
			engine_displace_flow(e, *flow, FLOW_END_SUPERSEDED);
		*flow = on_first(e, p, now_ns, verdict);
		return *flow;
	case PACKET_WRONG_WAY: *verdict = drop(e, DROP_WRONG_WAY); return false;
	case PACKET_OF_KILLED: /* its sender did not accept our RST */
		engine_answer_reset(e, p, &e->limit_killed, now_ns);
		*verdict = drop(e, DROP_RESET);
		return false;
	case PACKET_INTRUDES:
		engine_challenge(e, *flow, p, now_ns);
		*verdict = consume(e);
		return false;
	case PACKET_REPEATS:
		if (refuses_join(e, (*flow)->service, p, now_ns)) {
			*verdict = drop(e, DROP_MPTCP_JOIN);
			return false;
		}
		break;
	case PACKET_ANSWERS:
		if (handshake_answer(e, *flow, p, now_ns)) {
			*verdict = consume(e);
			return false;
		}
		break;
	case PACKET_CONTINUES: break;
	}
	follow(e, *flow, side, p, now_ns);
	return true;
}

enum verdict engine_packet(struct engine *e, struct packet *p, uint64_t now_ns)
{
	enum flow_side side = FLOW_ORIG;
	enum verdict verdict;
	struct flow *flow;

	e->counters.received++;
	if (packet_ttl(p) <= 1)
		return drop(e, DROP_TTL);
	flow = flow_find(&e->table, &p->key, p->hash, &side);
	if (!belongs(e, &flow, side, p, now_ns, &verdict))
		return verdict;
	return forward(e, flow, side, p);
}

void engine_announced(struct engine *e, const struct endpoint *from,
		      const struct endpoint *to, uint16_t mss)
{
	/* The key of a packet that answers the SYN. */
	const struct flow_key key = {
		.pair = {.src = *to, .dst = *from},
		.proto = PACKET_PROTO_TCP,
	};
	struct tcp_side *announced;
	enum flow_side side;
	struct flow *flow;

	flow = flow_find(&e->table, &key, flow_hash(&e->table, &key), &side);
	if (!flow)
		return;
	announced = &flow->tcp.side[!side];
	if (mss && mss < announced->mss)
		announced->mss = mss;
}

/*
 * A router, or a host on either side, reports that a segment of ours was
 * dropped. The error is used and forwarded only if that segment may be in
 * flight now: anybody can send such errors (RFC 5927).
 */
enum verdict engine_icmp(struct engine *e, struct icmp_error *m,
			 uint64_t now_ns)
{
	const struct flow_key key = icmp_reply_key(m);
	enum flow_side to, from;
	struct flow *flow;
	uint16_t mtu;

	e->counters.received++;
	if (icmp_ttl(m) <= 1)
		return drop(e, DROP_TTL);
	flow = flow_find(&e->table, &key, flow_hash(&e->table, &key), &to);
	if (!flow || (flow->flags & FLOW_KILLED))
		return drop(e, DROP_NOT_OURS);
	from = !to;
	if (!icmp_in_flight(&flow->tcp, from, m->seq))
		return drop(e, DROP_ICMP_STALE);

	mtu = icmp_path_mtu(m);
	if (mtu && (!flow->mtu[to] || mtu < flow->mtu[to]))
		flow->mtu[to] = mtu;
	if (!mtu && m->type == ICMP_TYPE_UNREACHABLE && to == FLOW_REPLY &&
	    flow->tcp.state == TCP_SYN_SENT &&
	    handshake_unreachable(e, flow, now_ns))
		return consume(e);
	icmp_translate(m, &flow->pair[from].dst.addr,
		       &flow->pair[from].src.addr, &flow->pair[from]);
	e->counters.forwarded++;
	return VERDICT_SEND;
}

/* ----------------------------------------------------------------- timers */

void engine_heard(struct engine *e, uint64_t until_ns)
{
	hearing_note_all_until(&e->hearing, until_ns);
}

void engine_lost(struct engine *e, uint64_t seen, uint64_t lost,
		 uint64_t now_ns)
{
	hearing_note_lost(&e->hearing, seen, lost, now_ns);
}

void engine_syns_lost(struct engine *e, uint64_t now_ns)
{
	syn_gate_lost(&e->gate, now_ns);
}

unsigned engine_syn_turn(struct engine *e, uint64_t now_ns)
{
	return syn_gate_turn(&e->gate, now_ns);
}

/* Why a flow ends that was silent in @state for too long. */
static enum flow_end end_of_silence(const struct engine *e,
				    const struct flow *flow)
{
	const struct flow_note *note = flow_note(&e->table, flow);

	switch ((enum tcp_state)flow->tcp.state) {
	case TCP_SYN_SENT: break;
	case TCP_SYN_RECEIVED: return FLOW_END_CLIENT_LOST;
	case TCP_ESTABLISHED: return FLOW_END_IDLE;
	case TCP_FIN_WAIT:
	case TCP_CLOSING: return FLOW_END_HALF_CLOSED_IDLE;
	case TCP_TIME_WAIT:
	case TCP_RESET:
	case TCP_STATES: return FLOW_END_NONE;
	}
	return note->flags & NOTE_UNREACHABLE ? FLOW_END_UNREACHABLE
					      : FLOW_END_SYN_TIMEOUT;
}

/*
 * The flow's deadline has passed. @heard_ns: all frames that arrived until then
 * were handled, so an answer missing at that time is late.
 */
static void run_out(struct engine *e, struct flow *flow, uint64_t heard_ns,
		    uint64_t now_ns)
{
	enum tcp_state state = flow->tcp.state;
	uint64_t due_ns;

	if (tcp_is_closed(state)) {
		engine_close_flow(e, flow, FLOW_END_NONE);
		return;
	}
	if (state == TCP_SYN_SENT && handshake_late(e, flow, now_ns))
		return;
	due_ns = engine_deadline_ns(e, flow);
	if (due_ns <= heard_ns && state == TCP_ESTABLISHED &&
	    e->timeouts.keepalive && flow->keepalives < 3) {
		flow->keepalives++;
		engine_keepalive(e, flow, FLOW_ORIG);
		engine_keepalive(e, flow, FLOW_REPLY);
		/* Counted from now: the answer needs its time. */
		due_ns = now_ns + e->timeouts.keepalive * NS_PER_S;
	}
	if (due_ns > heard_ns) {
		wheel_set(&e->wheel, flow_index(&e->table, flow), due_ns);
		return;
	}
	e->counters.expired++;
	if (state == TCP_SYN_SENT) {
		/* No backend answered, and the client has waited long enough.
		 * But if we are cut off, its next SYN may be answered.
		 */
		if (!handshake_was_cut(e, flow))
			engine_reset_side(e, flow, FLOW_ORIG);
		engine_close_flow(e, flow, end_of_silence(e, flow));
		return;
	}
	engine_reset_flow(e, flow, end_of_silence(e, flow), now_ns);
}

/* At most one table a tick: each takes half a millisecond. */
static bool refresh_tables(struct engine *e)
{
	for (unsigned i = 0; i < e->n_services; i++)
		if (sched_refresh(&e->services[i]))
			return true;
	return false;
}

uint64_t engine_tick(struct engine *e, uint64_t now_ns, unsigned budget)
{
	const uint64_t heard_ns = hearing_now_ns(&e->hearing, now_ns);
	uint64_t checks_ns = engine_run_checks(e, heard_ns, now_ns), next_ns;

	e->ticked_ns = now_ns;
	for (; budget > 0; budget--) {
		struct flow *flow;
		uint64_t due_ns;
		uint32_t i;

		/* Ten thousand flows may expire at once. A reset lost for want
		 * of room is never sent again.
		 */
		if (!engine_has_room(e, ENGINE_OUTBOX_MAX))
			return now_ns;
		i = wheel_take(&e->wheel, heard_ns);
		if (i == WHEEL_NONE)
			break;
		flow = &e->table.flows[i];
		due_ns = engine_deadline_ns(e, flow);
		if (due_ns > heard_ns) /* packets have postponed it */
			wheel_set(&e->wheel, i, due_ns);
		else
			run_out(e, flow, heard_ns, now_ns);
	}
	engine_retime(e);
	if (engine_sweep(e, now_ns) || e->retime_left > 0 || budget == 0 ||
	    refresh_tables(e))
		return now_ns;
	next_ns = wheel_next_ns(&e->wheel);
	if (e->checks_due_ns < checks_ns) /* a handshake failed just now */
		return now_ns;
	if (checks_ns < next_ns)
		next_ns = checks_ns;
	if (e->leaving && next_ns > now_ns + LEFT_NS)
		next_ns = now_ns + LEFT_NS; /* a slot may be freed then */
	return next_ns;
}

uint64_t engine_random(struct engine *e)
{
	return random_next(&e->random);
}
