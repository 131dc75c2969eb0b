/* SPDX-License-Identifier: MIT */
/*
 * fuzz_state.c - a state file in which anything may stand is taken over
 *
 * Its flows: how the file itself is opened is fuzz_state_file.c's.
 *
 * The input fills the flows one after another, as changes to flows of real
 * connections, since noise alone is refused at the first look; checksums are
 * made right. Then the ends of those connections go on talking while time
 * passes and backends leave. Everything in tests/rig/rules.c holds after each
 * step, and in the end every flow ends.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine.h"
#include "core/segment.h"
#include "core/time.h"
#include "forge.h"
#include "frames.h"
#include "inside.h"
#include "parse.h"
#include "rules.h"

#define FLOWS	16
#define PORTS	8
#define PORT_LO 10240
#define NOW	(5000 * NS_PER_S)

struct input {
	const uint8_t *at;
	size_t left;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail(const char *what)
{
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

/* Zeros when the input is used up. */
static uint32_t take(struct input *in, unsigned bytes)
{
	uint32_t value = 0;

	for (; bytes > 0 && in->left > 0; bytes--, in->left--)
		value = value << 8 | *in->at++;
	return value;
}

/* Two services, one with a backend that is gone, one that keeps its flows. */
static struct engine *start(struct flow *flows)
{
	struct backend_spec backends[3] = {
		{.addr = frame_endpoint("198.18.0.11", 9001),
		 .params.weight = 1,
		 .n_sources = 2},
		{.addr = frame_endpoint("198.18.0.12", 9001),
		 .params.weight = 1,
		 .n_sources = 1},
		{.addr = frame_endpoint("198.18.0.13", 9001),
		 .gone = true,
		 .n_sources = 1},
	};
	struct service_spec services[2] = {
		{.listen = frame_endpoint("198.18.0.1", 20000),
		 .params.reset_out_of_state = true,
		 .params.retries = 3,
		 .n_backends = 3,
		 .backends = backends},
		{.listen = frame_endpoint("198.18.0.1", 20001),
		 .params.keep_on_down = true,
		 .n_backends = 3,
		 .backends = backends},
	};
	uint16_t ports[PORTS];
	struct engine_spec spec = {
		.n_services = 2,
		.services = services,
		.ports = ports,
		.n_ports = PORTS,
		.n_flows = FLOWS,
		.flows = flows,
		.timeouts = ENGINE_TIMEOUTS_DEFAULT,
	};
	struct engine *e;
	struct err err;

	spec.timeouts.keepalive = 100;
	for (int i = 0; i < PORTS; i++)
		ports[i] = (uint16_t)(PORT_LO + i);
	for (int i = 0; i < 3; i++)
		for (int k = 0; k < 2; k++)
			backends[i].sources[k] =
				frame_addr(k ? "198.18.0.2" : "198.18.0.1");
	if (engine_new(&e, &spec, NOW, &err))
		abort();
	return e;
}

/* A connection as it may well be: the low bits choose among few. */
static void make_flow(struct flow *f, uint32_t how)
{
	static const char *const servers[] = {"198.18.0.11", "198.18.0.12",
					      "198.18.0.13", "198.18.0.14"};
	struct tcp_side *c = &f->tcp.side[FLOW_ORIG];
	struct tcp_side *b = &f->tcp.side[FLOW_REPLY];

	memset(f, 0, sizeof(*f));
	f->pair[FLOW_ORIG].src =
		frame_endpoint("198.18.1.1", (uint16_t)(40000 + how % 8));
	f->pair[FLOW_ORIG].dst = frame_endpoint(
		"198.18.0.1", (uint16_t)(20000 + (how >> 3) % 2));
	f->pair[FLOW_REPLY].src = frame_endpoint(servers[(how >> 4) % 4], 9001);
	f->pair[FLOW_REPLY].dst =
		frame_endpoint((how >> 6) % 2 ? "198.18.0.2" : "198.18.0.1",
			       (uint16_t)(PORT_LO + (how >> 7) % PORTS));
	f->proto = PACKET_PROTO_TCP;
	f->generation = 1;
	f->id = how;
	f->opened_ns = f->seen_ns = NOW - NS_PER_S;
	f->tcp.state = (uint8_t)((how >> 10) % TCP_STATES);
	c->end = b->ack = 1000;
	b->end = c->ack = 2000;
	c->limit = b->limit = 60000;
	c->mss = b->mss = 1460;
	c->flags = b->flags = TCP_SIDE_SEEN | TCP_SIDE_ACKED;
}

static void fill(struct flow *flows, struct input *in)
{
	uint32_t n = take(in, 1) % (FLOWS + 1);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t changes;

		make_flow(&flows[i], take(in, 2));
		changes = take(in, 1);
		for (uint32_t k = 0; k < changes % 8; k++)
			((uint8_t *)&flows[i])[take(in, 1) % sizeof(*flows)] =
				(uint8_t)take(in, 1);
		if (!(changes & 0x80))
			forge_seal(&flows[i]);
	}
}

static void check(struct engine *e)
{
	const char *broken = rules_broken(e);

	if (broken)
		fail(broken);
}

static void segment(struct engine *e, struct input *in, uint64_t now)
{
	static uint8_t ip[FRAME_MAX];
	enum drop_reason why;
	struct packet p;
	struct flow like;
	struct frame f;
	uint32_t how = take(in, 2), flags = take(in, 1), off = take(in, 1);
	enum flow_side side = how >> 15;
	uint32_t len;

	make_flow(&like, how);
	f = (struct frame){
		.src = like.pair[side].src,
		.dst = like.pair[side].dst,
		.flags = (uint8_t)flags,
		.window = 1000,
		.seq = like.tcp.side[side].end + off % 16 - 8,
		.ack = like.tcp.side[!side].end + off / 16 - 8,
		.payload_len = flags & 0x80 ? 100 : 0,
	};
	len = frame_build(&f, ip);
	if (parse_packet(&p, ip, len, &why)) {
		engine_refused(e, why);
		return;
	}
	engine_prepare(e, &p, 1);
	engine_packet(e, &p, now);
}

static void drain(struct engine *e)
{
	struct segment seg;

	while (engine_next(e, &seg))
		if (!addr_is_v4(&seg.dst.addr) || !seg.dst.port)
			fail("what is originated goes to a port of a host");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct flow flows[FLOWS];
	struct input in = {data, size};
	uint32_t present = 0, refused = 0;
	uint64_t now = NOW;
	struct engine *e;
	int64_t kept;

	memset(flows, 0, sizeof(flows));
	fill(flows, &in);
	for (int i = 0; i < FLOWS; i++)
		present += flows[i].open != 0;
	e = start(flows);
	kept = engine_adopt(e, now, &refused);
	if (kept < 0 || (uint64_t)kept + refused != present)
		fail("each flow is kept or refused");
	inside_balance(e);
	check(e);
	while (in.left) {
		uint32_t what = take(&in, 1);

		switch (what & 3) {
		case 0:
			now += (uint64_t)(what >> 2) * NS_PER_S;
			engine_tick(e, now, 1 + (what >> 4));
			break;
		case 1: drain(e); break;
		default: segment(e, &in, now); break;
		}
		check(e);
	}
	if (size & 1)
		while (engine_reset_all(e, now))
			drain(e);
	for (int i = 0; i < 1000 && engine_flows(e)->used; i++) {
		now += 8000 * NS_PER_S;
		engine_tick(e, now, 100);
		drain(e);
	}
	if (engine_flows(e)->used)
		fail("every flow ends when nothing comes any more");
	check(e);
	engine_free(e);
	return 0;
}
