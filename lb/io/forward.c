/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "core/answers.h"
#include "core/random.h"
#include "core/time.h"
#include "io/forward.h"

#define SMALL_MAX     2048 /* bytes; larger payloads are sent from the ring */
#define TOO_BIG_PER_S 1000 /* fragmentation-needed, RFC 1812 4.3.2.8 */
#define MTU_SURE      576  /* bytes; practically every link has it: RFC 791 */
#define TICK_BUDGET   1024 /* flows ended per tick, between two reads */
#define RETRY_NS      NS_PER_MS /* before another try after a full queue */

struct forward {
	struct engine *engine;
	struct inject *inject;
	struct netlink *netlink;
	uint32_t mss_clamp;
	struct answer_limit limit_too_big;
	struct answers told_too_big;
	uint64_t too_big_limited;
	struct random random;
	/* Originated segments that found no room, the oldest first. */
	struct outgoing outgoing[INJECT_SEGMENTS_MAX];
	unsigned n_outgoing;
	uint64_t retry_ns; /* when to try again; valid if n_outgoing > 0 */
	unsigned staged;
	struct packet packets[INJECT_BATCH];
	uint8_t payload[INJECT_BATCH][SMALL_MAX];
};

int forward_new(struct forward **out, struct engine *engine,
		struct inject *inject, struct netlink *netlink,
		uint32_t mss_clamp, struct err *err)
{
	struct forward *f = calloc(1, sizeof(*f));

	if (!f)
		return err_set(err, -ENOMEM, "out of memory");
	f->engine = engine;
	f->inject = inject;
	f->netlink = netlink;
	f->mss_clamp = mss_clamp;
	f->random.state = engine_random(engine);
	f->limit_too_big.per_s = TOO_BIG_PER_S;
	*out = f;
	return 0;
}

void forward_set_clamp(struct forward *f, uint32_t mss_clamp)
{
	f->mss_clamp = mss_clamp;
}

void forward_free(struct forward *f)
{
	free(f);
}

/*
 * Our next hop has the smallest MTU of the path. The segment goes on in
 * fragments, and its sender is informed, so that the next segments fit (RFC
 * 1191).
 */
static void tell_sender(struct forward *f, const struct packet *p, uint32_t mtu,
			uint64_t now_ns)
{
	struct packet received = *p;
	struct icmp_message message;

	if (!answers_allow(&f->told_too_big, &f->limit_too_big, &f->random,
			   p->hash, ANSWERS_ACKS, now_ns)) {
		f->too_big_limited++;
		return;
	}
	packet_rewrite(&received, &p->key.pair.src, &p->key.pair.dst);
	if (icmp_frag_needed(&message, &received, mtu))
		inject_message(f->inject, &message);
}

/* The largest MSS a SYN through @hop may announce; 0: no limit. */
static uint16_t mss_limit(const struct forward *f, const struct hop *hop)
{
	const uint32_t headers = IP_HEADER_LEN + TCP_HEADER_MIN;
	uint32_t mtu = hop->mtu, mss = UINT16_MAX;

	if (hop->ifindex == HOP_UNKNOWN) {
		mtu = netlink_smallest_mtu(f->netlink);
		if (mtu < MTU_SURE)
			mtu = MTU_SURE;
	}
	if (mtu > headers && mtu - headers < mss)
		mss = mtu - headers;
	if (f->mss_clamp && f->mss_clamp != FORWARD_CLAMP_AUTO &&
	    f->mss_clamp < mss)
		mss = f->mss_clamp;
	return mss < UINT16_MAX ? (uint16_t)mss : 0;
}

/*
 * Runs before the engine, which stores the MSS of a SYN and may send the SYN to
 * another backend. Returns false if the route back to the sender leads into
 * this host although the SYN came from the wire. The address list of
 * net/martian.h does not see local routes, and this look-up is too expensive
 * for every packet.
 */
static bool clamp_back(struct forward *f, struct packet *p, uint64_t now_ns)
{
	struct hop back;

	netlink_hop(f->netlink, &p->key.pair.dst.addr, &p->key.pair.src.addr,
		    now_ns, &back);
	if (netlink_is_loopback(f->netlink, back.ifindex) &&
	    !netlink_is_loopback(f->netlink, p->ifindex))
		return false;
	if (f->mss_clamp)
		packet_clamp_mss(p, mss_limit(f, &back));
	return true;
}

/*
 * The answer to a SYN comes back by the link that the SYN leaves by, in
 * segments of the MSS that it announces. If these were longer than that link
 * can carry, they would be lost without a word to their sender. The engine
 * keeps the MSS: merged packets are cut to it, the size their sender used.
 */
static void clamp_onward(struct forward *f, struct packet *p,
			 const struct hop *onward)
{
	const uint16_t limit = mss_limit(f, onward);
	const struct flow_pair out = packet_out(p);

	packet_clamp_mss(p, limit);
	engine_announced(f->engine, &out.src, &out.dst, limit);
}

static void decide(struct forward *f, struct packet *p, uint64_t now_ns)
{
	const bool syn = p->tcp.flags & TCP_SYN;
	struct hop hop;

	if (syn && !clamp_back(f, p, now_ns)) {
		engine_refused(f->engine, DROP_MARTIAN);
		return;
	}
	if (engine_packet(f->engine, p, now_ns) != VERDICT_SEND)
		return;
	netlink_hop(f->netlink, &p->out_src, &p->out_dst, now_ns, &hop);
	if (packet_len(p) > hop.mtu && hop.mtu &&
	    p->out_mss + 0u + IP_HEADER_LEN + TCP_HEADER_MIN > hop.mtu)
		tell_sender(f, p, hop.mtu, now_ns);
	if (syn)
		clamp_onward(f, p, &hop);
	inject_packet(f->inject, p, &hop);
}

/*
 * An ICMP error about a segment may come only from where the answer to that
 * segment could come.
 */
static bool is_martian_error(struct forward *f, const struct icmp_error *m,
			     int ifindex)
{
	const struct flow_pair *quoted = &m->quoted.pair;

	return netlink_is_martian(f->netlink, &m->msg.src, &m->msg.dst,
				  ifindex) ||
	       netlink_is_martian(f->netlink, &quoted->dst.addr,
				  &quoted->src.addr, ifindex);
}

static void on_icmp(struct forward *f, const struct l3 *l3, int ifindex)
{
	const uint64_t now_ns = clock_now_ns();
	enum drop_reason why;
	struct icmp_error m;

	if (icmp_parse(&m, l3, &why)) {
		engine_refused(f->engine, why);
		return;
	}
	if (is_martian_error(f, &m, ifindex)) {
		engine_refused(f->engine, DROP_MARTIAN);
		return;
	}
	/* The error itself shows that the link lives. */
	engine_link_heard(f->engine, ifindex, now_ns);
	if (engine_icmp(f->engine, &m, now_ns) == VERDICT_SEND)
		inject_message(f->inject, &m.msg);
}

static void take_from_engine(struct forward *f)
{
	while (f->n_outgoing < INJECT_SEGMENTS_MAX) {
		struct outgoing *out = &f->outgoing[f->n_outgoing];

		if (!engine_next(f->engine, &out->seg))
			return;
		out->refused = 0;
		f->n_outgoing++;
	}
}

/* Looks up the current route. A retransmitted SYN must fit its MTU. */
static void set_out(struct forward *f, struct outgoing *out, uint64_t now_ns)
{
	struct segment *seg = &out->seg;
	uint16_t limit;

	netlink_hop(f->netlink, &seg->src.addr, &seg->dst.addr, now_ns,
		    &out->hop);
	if (!(seg->flags & TCP_SYN))
		return;
	limit = mss_limit(f, &out->hop);
	packet_clamp_options(seg->options, seg->options_len, limit);
	engine_announced(f->engine, &seg->src, &seg->dst, limit);
}

/*
 * A segment that finds no room waits, and so do those behind it. When the queue
 * here is full, the rest wait in the engine's outbox; when that is full too,
 * the engine originates no more.
 */
static void send_originated(struct forward *f, uint64_t now_ns)
{
	bool too_soon = f->n_outgoing && now_ns < f->retry_ns;

	take_from_engine(f);
	if (too_soon)
		return;
	while (f->n_outgoing) {
		for (unsigned i = 0; i < f->n_outgoing; i++)
			set_out(f, &f->outgoing[i], now_ns);
		f->n_outgoing =
			inject_segments(f->inject, f->outgoing, f->n_outgoing);
		if (f->n_outgoing) {
			f->retry_ns = now_ns + RETRY_NS;
			return;
		}
		take_from_engine(f);
	}
}

static void count_lost(struct forward *f)
{
	uint64_t lost[DROP_REASONS];

	inject_take_lost(f->inject, lost);
	for (unsigned why = 0; why < DROP_REASONS; why++)
		if (lost[why])
			engine_unsent(f->engine, why, lost[why]);
}

/* Sends all staged packets in order. */
static void run_batch(struct forward *f)
{
	uint64_t now_ns;

	if (f->staged == 0)
		return;
	now_ns = clock_now_ns();
	engine_prepare(f->engine, f->packets, f->staged);
	for (unsigned i = 0; i < f->staged; i++)
		decide(f, &f->packets[i], now_ns);
	inject_flush(f->inject);
	f->staged = 0;
	count_lost(f);
	send_originated(f, now_ns); /* a batch's answers fit the outbox */
}

static void on_tcp(struct forward *f, const struct l3 *l3, int ifindex)
{
	struct packet *p = &f->packets[f->staged];
	enum drop_reason why;

	if (packet_parse(p, l3, &why)) {
		engine_refused(f->engine, why);
		return;
	}
	if (netlink_is_martian(f->netlink, &p->key.pair.src.addr,
			       &p->key.pair.dst.addr, ifindex)) {
		engine_refused(f->engine, DROP_MARTIAN);
		return;
	}
	p->ifindex = ifindex;
	if (p->payload_len <= SMALL_MAX) {
		memcpy(f->payload[f->staged], p->payload, p->payload_len);
		p->payload = f->payload[f->staged];
		if (++f->staged == INJECT_BATCH)
			run_batch(f);
		return;
	}
	run_batch(f); /* keeps the order; @p is not in the batch */
	engine_prepare(f->engine, p, 1);
	decide(f, p, clock_now_ns());
	inject_flush(f->inject);
}

static void on_frame(void *arg, const uint8_t *ip, uint32_t len, int ifindex)
{
	struct forward *f = arg;
	enum drop_reason why;
	struct l3 l3;

	if (l3_parse(&l3, ip, len, &why)) {
		engine_refused(f->engine, why);
		return;
	}
	switch (l3.proto) {
	case PACKET_PROTO_TCP: on_tcp(f, &l3, ifindex); break;
	case ICMP_PROTO: on_icmp(f, &l3, ifindex); break;
	default: engine_refused(f->engine, DROP_NOT_TCP); break;
	}
}

int forward_read(struct forward *f, struct capture *capture, int max)
{
	int n = capture_read(capture, max, on_frame, f);

	run_batch(f);
	count_lost(f);
	send_originated(f, clock_now_ns());
	return n;
}

uint64_t forward_tick(struct forward *f)
{
	uint64_t now_ns = clock_now_ns();
	uint64_t next_ns = engine_tick(f->engine, now_ns, TICK_BUDGET);

	send_originated(f, now_ns);
	return f->n_outgoing ? f->retry_ns : next_ns;
}

uint64_t forward_too_big_limited(const struct forward *f)
{
	return f->too_big_limited;
}

bool forward_waits(const struct forward *f)
{
	return f->n_outgoing > 0;
}
