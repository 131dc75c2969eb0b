/* SPDX-License-Identifier: MIT */
/*
 * fuzz_engine.c - frames in any order, at any time, into a small engine
 *
 * The input is a list of records: one byte says what happens, the next ones
 * with what. Checksums are made right here, else almost every frame would end
 * there. Captures of real connections (captures.sh) are records of frames that
 * are given the addresses of one here. After each record everything in
 * tests/rig/rules.c holds, or it aborts. Needs frames.c and rules.c of
 * tests/rig, and the core. By hand, with
 * clang-14 -fsanitize=fuzzer,address,undefined -Ilb -Itests/rig.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/change.h"
#include "core/engine.h"
#include "core/segment.h"
#include "core/time.h"
#include "fix_icmp.h"
#include "frames.h"
#include "inside.h"
#include "parse.h"
#include "rules.h"

#define FLOWS	8
#define PORTS	3
#define CLIENTS 6
#define PORT_LO 10240
#define MAX_MS	(1u << 24) /* 4.6 hours in one step */
#define LARGE	9000	   /* bytes of a captured frame; more are slow */

/* Low three bits of the first byte of a record. */
enum action {
	ACT_SEGMENT,   /* of a connection, mostly as it wants it */
	ACT_SEGMENT_2, /* the same: what is wanted most */
	ACT_RAW,       /* a frame byte by byte, checksums made right; with
			* RAW_CAPTURED, of a connection */
	ACT_RAW_BAD,   /* the same, checksums as they are */
	ACT_TIME,
	ACT_OUTBOX,
	ACT_BACKEND,
	ACT_OTHER,
};

#define RAW_CAPTURED 8	 /* in the first byte of ACT_RAW */
#define OTHER_CHANGE 192 /* from here on ACT_OTHER changes something */

/* The second byte of a captured frame; its low three bits: whose it is. */
enum captured {
	CAPTURED_REPLY = 8,    /* from the backend */
	CAPTURED_PARTIAL = 16, /* its sender left the checksum to a card */
};

/* The high bits of its first byte. */
enum other {
	OTHER_UNSENT,
	OTHER_PROBES,	 /* a result for each that is asked for */
	OTHER_ICMP,	 /* an error about a segment of a connection */
	OTHER_RESET_ALL, /* as at a clean exit */
	OTHER_HEARD,	 /* everything up to now; before the first, too */
	OTHER_LOST,	 /* frames of connections */
	OTHER_SYNS_LOST,
	OTHER_SYN_TURN,
};

/* Off by so much from what is expected. */
static const int32_t near[16] = {0,	     1,		-1,	   10,
				 -10,	     1000,	-1000,	   66000,
				 -66000,     1000000,	-1000000,  1 << 30,
				 -(1 << 30), 999999937, INT32_MAX, INT32_MIN};

struct conn {
	struct endpoint client, vip, nat, backend;
	uint32_t seq[FLOW_SIDES];
};

struct world {
	struct engine *e;
	bool changed; /* the next process is given another configuration */
	uint64_t now;
	struct conn conns[CLIENTS];
	const uint8_t *in;
	size_t left;
};

static struct flow flows[FLOWS];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Zeros when the input is used up. */
static uint32_t take(struct world *w, unsigned bytes)
{
	uint32_t value = 0;

	for (; bytes > 0 && w->left > 0; bytes--, w->left--)
		value = value << 8 | *w->in++;
	return value;
}

static struct engine *start(uint64_t now)
{
	struct backend_spec backends[3] = {
		{.addr = frame_endpoint("198.18.0.11", 9001),
		 .params.weight = 2,
		 .n_sources = 2},
		{.addr = frame_endpoint("198.18.0.12", 9001),
		 .params.weight = 1,
		 .n_sources = 1},
		{.addr = frame_endpoint("198.18.0.13", 9001),
		 .params.weight = 1,
		 .params.backup = true,
		 .n_sources = 1},
	};
	struct service_spec services[2] = {
		{.listen = frame_endpoint("198.18.0.1", 20000),
		 .params.scheduler = SCHED_WRR,
		 .params.reset_out_of_state = true,
		 .params.retries = 2,
		 .params.syn_timeout_ms = ENGINE_SYN_TIMEOUT_MS_DEFAULT,
		 .params.half_open_max = 4,
		 .params.drain_timeout_s = 60,
		 .params.checked = true,
		 .params.check = {.kind = CHECK_SYN},
		 .params.health = HEALTH_PARAMS_DEFAULT,
		 .params.breaker = BREAKER_PARAMS_DEFAULT,
		 .n_backends = 3,
		 .backends = backends},
		{.listen = frame_endpoint("198.18.0.1", 20001),
		 .params.scheduler = SCHED_LC,
		 .params.checked = true,
		 .params.check = {.kind = CHECK_TCP},
		 .params.health = HEALTH_PARAMS_DEFAULT,
		 .n_backends = 2,
		 .backends = backends},
	};
	uint16_t ports[PORTS] = {PORT_LO, PORT_LO + 1, PORT_LO + 2};
	struct engine_spec spec = {
		.n_services = 2,
		.services = services,
		.ports = ports,
		.n_ports = PORTS,
		.n_flows = FLOWS,
		.flows = flows,
		.timeouts = ENGINE_TIMEOUTS_DEFAULT,
		.probe_lo = PORT_LO + 1000,
	};
	struct engine *e;
	struct err err;

	spec.timeouts.keepalive = 75;
	for (int i = 0; i < 3; i++)
		for (int k = 0; k < 2; k++)
			backends[i].sources[k] =
				frame_addr(k ? "198.18.0.2" : "198.18.0.1");
	if (engine_new(&e, &spec, now, &err))
		abort();
	return e;
}

static void fail(const char *what)
{
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

/* Through the engine as the program does it; what leaves is well-formed. */
static bool receive(struct world *w, const uint8_t *ip, uint32_t len,
		    struct frame *out)
{
	static uint8_t wire[FRAME_MAX];
	uint8_t *copy = malloc(len + 1); /* ends where the frame ends */
	enum drop_reason why = DROP_REASONS;
	struct packet p;
	bool sent = false;

	memcpy(copy + 1, ip, len);
	if (parse_packet(&p, copy + 1, len, &why)) {
		if (why >= DROP_REASONS)
			fail("a refused frame has a reason");
		engine_refused(w->e, why);
	} else {
		engine_prepare(w->e, &p, 1);
		sent = engine_packet(w->e, &p, w->now) == VERDICT_SEND;
	}
	if (sent) {
		enum frame_csum kind =
			p.csum == CSUM_FULL ? FRAME_FULL : FRAME_PARTIAL;

		memcpy(wire, p.hdr, p.hdr_len);
		memcpy(wire + p.hdr_len, p.payload, p.payload_len);
		if (!frame_read(out, wire, packet_len(&p)) ||
		    !frame_csum_is(kind, wire, packet_len(&p)))
			fail("what leaves is a right packet");
		packet_complete_csum(&p);
		memcpy(wire, p.hdr, p.hdr_len);
		if (!frame_csum_is(FRAME_FULL, wire, packet_len(&p)))
			fail("a completed checksum is right");
	}
	free(copy);
	return sent;
}

/* Where its SYN went at last. */
static void refresh(const struct world *w, struct conn *c)
{
	struct flow_key key = {.pair = {c->client, c->vip}, .proto = 6};
	enum flow_side side;
	const struct flow *f =
		flow_find(engine_flows(w->e), &key,
			  flow_hash(engine_flows(w->e), &key), &side);

	if (!f)
		return;
	c->nat = flow_nat(f);
	c->backend = flow_backend(f);
}

static struct frame conn_frame(const struct conn *c, enum flow_side side,
			       uint32_t off)
{
	return (struct frame){
		.src = side ? c->backend : c->client,
		.dst = side ? c->nat : c->vip,
		.seq = c->seq[side] + (uint32_t)near[off & 15],
		.ack = c->seq[!side] + (uint32_t)near[off >> 4],
		.window = 1000,
	};
}

static void segment(struct world *w)
{
	static const uint8_t options[] = {2, 4, 5, 180, 1, 3, 3, 7};
	static uint8_t ip[FRAME_MAX];
	uint32_t how = take(w, 1);
	struct conn *c = &w->conns[how % CLIENTS];
	enum flow_side side = how / CLIENTS % 2;
	uint8_t flags = (uint8_t)take(w, 1);
	struct frame f, out;

	refresh(w, c);
	f = conn_frame(c, side, take(w, 1));
	f.flags = flags;
	f.payload_len = how & 128 ? take(w, 2) % 3000 : 0;
	f.csum = how & 64 ? FRAME_PARTIAL : FRAME_FULL;
	f.options = options;
	f.options_len = flags & SYN ? 8 : 0;
	if (receive(w, ip, frame_build(&f, ip), &out))
		c->seq[side] = f.seq + frame_seq_len(&f);
}

/* An error about a segment that we sent toward @side. */
static void icmp(struct world *w)
{
	uint32_t how = take(w, 1), off = take(w, 1);
	struct conn *c = &w->conns[how % CLIENTS];
	enum flow_side side = how / CLIENTS % 2;
	uint8_t ip[20 + 8 + 40] = {0x45, 0, 0, sizeof(ip)};
	enum drop_reason why;
	struct icmp_error m;
	struct frame f;

	refresh(w, c);
	f = conn_frame(c, side, off);
	f.src = side ? c->vip : c->nat;
	f.dst = side ? c->client : c->backend;
	f.flags = ACK;
	frame_build(&f, ip + 28);
	ip[8] = 64;
	ip[9] = ICMP_PROTO;
	memcpy(ip + 12, f.dst.addr.b + 12, 4);
	memcpy(ip + 16, f.src.addr.b + 12, 4);
	frame_put16(ip + 10, (uint16_t)~frame_sum(ip, 20));
	ip[20] = how & 64 ? ICMP_TYPE_TIME_EXCEEDED : ICMP_TYPE_UNREACHABLE;
	ip[21] = (uint8_t)take(w, 1) & 15;
	frame_put16(ip + 26, take(w, 2));
	frame_put16(ip + 22, (uint16_t)~frame_sum(ip + 20, sizeof(ip) - 20));
	if (parse_icmp(&m, ip, sizeof(ip), &why))
		engine_refused(w->e, why);
	else
		engine_icmp(w->e, &m, w->now);
}

static void raw(struct world *w, bool fix)
{
	uint32_t len = take(w, 1);
	uint8_t ip[256] = {0};
	struct frame out;

	for (uint32_t i = 0; i < len; i++)
		ip[i] = (uint8_t)take(w, 1);
	if (fix)
		frame_fix_csums(ip, len);
	receive(w, ip, len, &out);
}

static void put_endpoint(uint8_t *addr, uint8_t *port, const struct endpoint *e)
{
	memcpy(addr, e->addr.b + 12, 4);
	memcpy(port, &e->port, 2);
}

/* The packet at @ip, of @len bytes, is now one from @src to @dst. */
static void readdress(uint8_t *ip, uint32_t len, const struct endpoint *src,
		      const struct endpoint *dst)
{
	uint32_t at = len ? (ip[0] & 15) * 4u : 0;

	if (at < 20 || len < at + 4)
		return;
	put_endpoint(ip + 12, ip + at, src);
	put_endpoint(ip + 16, ip + at + 2, dst);
}

/* The sum of the pseudo header alone stands for it. */
static void leave_csum(uint8_t *ip, uint32_t len)
{
	uint32_t at = len ? (ip[0] & 15) * 4u : 0;
	uint8_t pseudo[12] = {[9] = 6};

	if (at < 20 || len < at + 20)
		return;
	memcpy(pseudo, ip + 12, 8);
	frame_put16(pseudo + 10, len - at);
	frame_put16(ip + at + 16, frame_sum(pseudo, sizeof(pseudo)));
}

/* An error that came from @peer about what we sent there. */
static void captured_icmp(struct world *w, uint8_t *ip, uint32_t len,
			  const struct endpoint *peer,
			  const struct endpoint *ours)
{
	enum drop_reason why;
	struct icmp_error m;

	if (len > 28)
		readdress(ip + 28, len - 28, ours, peer);
	memcpy(ip + 12, peer->addr.b + 12, 4);
	memcpy(ip + 16, ours->addr.b + 12, 4);
	fix_icmp(ip, len);
	if (parse_icmp(&m, ip, len, &why))
		engine_refused(w->e, why);
	else
		engine_icmp(w->e, &m, w->now);
}

/*
 * Its headers as they were on the wire, but for the addresses: those of a
 * connection here, wherever its SYN went at last. Behind what the record holds
 * there are zeros, as many as its header says.
 */
static void captured(struct world *w)
{
	static uint8_t ip[LARGE];
	uint32_t how = take(w, 1), given = take(w, 1), len = given;
	struct conn *c = &w->conns[how % 8 % CLIENTS];
	enum flow_side side = how & CAPTURED_REPLY ? FLOW_REPLY : FLOW_ORIG;
	const struct endpoint *peer = side ? &c->backend : &c->client;
	const struct endpoint *ours = side ? &c->nat : &c->vip;
	struct frame out;

	for (uint32_t i = 0; i < given; i++)
		ip[i] = (uint8_t)take(w, 1);
	if (given >= 20 && frame_get16(ip + 2) > given &&
	    frame_get16(ip + 2) <= LARGE)
		len = frame_get16(ip + 2);
	memset(ip + given, 0, len - given);
	refresh(w, c);
	if (given >= 20 && ip[9] == ICMP_PROTO) {
		captured_icmp(w, ip, len, peer, ours);
		return;
	}
	readdress(ip, len, peer, ours);
	frame_fix_csums(ip, len);
	if (how & CAPTURED_PARTIAL)
		leave_csum(ip, len);
	if (receive(w, ip, len, &out))
		c->seq[side] = out.seq + frame_seq_len(&out);
}

static void change_backend(struct world *w)
{
	uint32_t how = take(w, 1);
	struct service *s = inside_service(w->e, how & 1);
	struct backend *b;

	if (how & 1 ? engine_services(w->e) < 2 : engine_services(w->e) < 1)
		return;
	if (s->n_backends == 0 || engine_n_ways(w->e) == 0)
		return;
	b = &s->backends[(how >> 1) % s->n_backends];
	if (how & 16)
		engine_set_way(w->e, take(w, 1) % engine_n_ways(w->e),
			       (int)(how >> 5) - 1);
	else if (how & 128)
		b->up = !b->up;
	else
		b->params.weight = how >> 5;
}

static void add_backend(struct world *w, unsigned s, unsigned k, uint32_t how)
{
	struct backend_spec spec = {
		.addr = frame_endpoint("198.18.0.11", 9001),
		.params.weight = 1 + (how >> 4 & 3),
		.n_sources = 1 + (how >> 6 & 1),
	};
	struct err err;

	spec.addr.addr.b[15] = (uint8_t)(11 + (how >> 3 & 7));
	spec.sources[0] = frame_addr("198.18.0.1");
	spec.sources[1] = frame_addr("198.18.0.2");
	if (engine_prepare_backend(w->e, s, k, &spec, w->now, &err))
		return;
	if (engine_service_slot(w->e, s) == SLOT_LIVE && !(how & 128))
		engine_enter_backend(w->e, s, k, w->now);
	else
		engine_undo_backend(w->e, s, k);
}

static void add_service(struct world *w, unsigned s, uint32_t how)
{
	struct service_spec spec = {
		.listen = frame_endpoint("198.18.0.1",
					 (uint16_t)(20000 + (how >> 3 & 1)))};
	struct err err;

	spec.params = inside_service(w->e, 0)->params;
	if (spec.params.health.fall == 0) /* of a slot that is free now */
		spec.params = (struct service_params)SERVICE_PARAMS_DEFAULT;
	if (engine_prepare_service(w->e, s, &spec, w->now, &err))
		return;
	if (how & 16)
		engine_undo_service(w->e, s);
	else
		engine_enter_service(w->e, s, w->now);
}

static void set_service(struct world *w, unsigned s, uint32_t how)
{
	struct service_params p = inside_service(w->e, s)->params;

	p.scheduler = (enum sched_kind)((how >> 3) % SCHED_KINDS);
	p.retries = how >> 4;
	p.keep_on_down = how & 32;
	p.drain_timeout_s = how >> 6;
	p.half_open_max = how & 64 ? 2 : 0;
	p.checked = how & 16;
	p.health = (struct health_params)HEALTH_PARAMS_DEFAULT;
	p.check.kind = how & 128 ? CHECK_TCP : CHECK_SYN;
	engine_set_service(w->e, s, &p, w->now);
}

/* An administrator; whoever calls keeps to what change.h allows. */
static void change(struct world *w)
{
	const uint32_t how = take(w, 1), at = take(w, 1);
	const unsigned s = at & 3, k = at >> 2 & 7;
	const enum leave then = (enum leave)(at >> 6);
	const bool lives = engine_service_slot(w->e, s) == SLOT_LIVE;
	const bool holds = engine_backend_slot(w->e, s, k) == SLOT_LIVE;
	struct backend_params params = {.weight = how >> 3 & 3,
					.admin = (enum admin)((how >> 5) % 3),
					.then = then};
	struct engine_timeouts timeouts = ENGINE_TIMEOUTS_DEFAULT;
	unsigned left;
	int which;

	w->changed = true;
	switch (how & 7) {
	case 0: add_backend(w, s, k, how); break;
	case 1:
		if (holds)
			engine_leave_backend(w->e, s, k, then, w->now);
		break;
	case 2:
		if (holds)
			engine_set_backend(w->e, s, k, &params, w->now);
		break;
	case 3:
		if (lives)
			set_service(w, s, how);
		break;
	case 4: add_service(w, s, how); break;
	case 5:
		if (lives && how & 8)
			engine_leave_service(w->e, s, then, w->now);
		break;
	case 6:
		timeouts.syn_sent = 1 + (how >> 3);
		timeouts.established = 1 + at;
		engine_set_timeouts(w->e, &timeouts, w->now);
		engine_kill_flow(w->e, how >> 3, at, w->now);
		break;
	default:
		while (engine_next_left(w->e, w->now, &left, &which)) {
			if (which < 0)
				engine_free_service(w->e, left);
			else
				engine_free_backend(w->e, left,
						    (unsigned)which);
		}
	}
}

static void empty_outbox(struct world *w)
{
	struct segment seg;

	while (engine_next(w->e, &seg))
		if (seg.options_len % 4 || seg.options_len > TCP_OPTIONS_MAX)
			fail("options fit into a header");
}

static void answer_probes(struct world *w)
{
	struct probe_request p;

	while (engine_next_probe(w->e, &p))
		engine_probe_result(w->e, p.service, p.backend, p.number,
				    take(w, 1) % CHECK_RESULTS, w->now);
}

static void hear(struct world *w)
{
	struct ip_addr wanted;
	int link;

	engine_heard(w->e, w->now);
	while (engine_next_ask(w->e, &link))
		engine_link_heard(w->e, link, w->now);
	if (engine_next_wanted(w->e, &wanted))
		engine_set_source_away(w->e, &wanted, false);
}

static void do_other(struct world *w, enum other what)
{
	switch (what) {
	case OTHER_UNSENT:
		if (engine_counters(w->e)->forwarded)
			engine_unsent(w->e, DROP_SEND_FULL, 1);
		break;
	case OTHER_PROBES: answer_probes(w); break;
	case OTHER_ICMP: icmp(w); break;
	case OTHER_RESET_ALL: engine_reset_all(w->e, w->now); break;
	case OTHER_HEARD: hear(w); break;
	case OTHER_LOST: engine_lost(w->e, 10, take(w, 1), w->now); break;
	case OTHER_SYNS_LOST: engine_syns_lost(w->e, w->now); break;
	case OTHER_SYN_TURN: engine_syn_turn(w->e, w->now); break;
	}
}

static void act(struct world *w)
{
	uint32_t what = take(w, 1);

	switch ((enum action)(what & 7)) {
	case ACT_SEGMENT:
	case ACT_SEGMENT_2: segment(w); break;
	case ACT_RAW:
		if (what & RAW_CAPTURED)
			captured(w);
		else
			raw(w, true);
		break;
	case ACT_RAW_BAD: raw(w, false); break;
	case ACT_TIME:
		w->now += (uint64_t)(take(w, 3) % MAX_MS) * 1000000;
		engine_tick(w->e, w->now, what >> 3);
		break;
	case ACT_OUTBOX: empty_outbox(w); break;
	case ACT_BACKEND: change_backend(w); break;
	case ACT_OTHER:
		if (what >= OTHER_CHANGE)
			change(w);
		else
			do_other(w, what >> 3 & 7);
		break;
	}
}

static void check_rules(const struct world *w)
{
	const char *broken = rules_broken(w->e);

	if (broken)
		fail(broken);
}

/* The next process finds what this one left. */
static void take_over(struct world *w)
{
	uint32_t refused = 0;

	engine_free(w->e);
	w->e = start(w->now);
	if (engine_adopt(w->e, w->now, &refused) < 0)
		fail("flows are adopted");
	if (refused && !w->changed)
		fail("what a living process left is whole");
	inside_balance(w->e);
	check_rules(w);
}

static void drain(struct world *w)
{
	for (int i = 0; i < 1000 && engine_flows(w->e)->used; i++) {
		w->now += 8000 * NS_PER_S;
		engine_tick(w->e, w->now, 100);
		empty_outbox(w);
	}
	if (engine_flows(w->e)->used)
		fail("every flow ends when nothing comes any more");
	check_rules(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = {.now = 5000 * NS_PER_S, .in = data, .left = size};

	memset(flows, 0, sizeof(flows));
	w.e = start(w.now);
	for (int i = 0; i < CLIENTS; i++) {
		w.conns[i] = (struct conn){
			.client = frame_endpoint("198.18.1.1",
						 (uint16_t)(40000 + i / 2)),
			.vip = frame_endpoint("198.18.0.1",
					      (uint16_t)(20000 + i % 2)),
			.nat = frame_endpoint("198.18.0.1", PORT_LO),
			.backend = frame_endpoint("198.18.0.11", 9001),
			.seq = {0xffffff00u * (i % 3), 0x7fffff80u * (i % 2)},
		};
	}
	while (w.left) {
		act(&w);
		check_rules(&w);
	}
	take_over(&w);
	drain(&w);
	engine_free(w.e);
	return 0;
}
