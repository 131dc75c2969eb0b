/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "core/icmp.h"
#include "changer.h"
#include "core/change.h"
#include "inside.h"
#include "judge.h"
#include "parse.h"
#include "path.h"

#define BUDGET 64 /* timers at a time */

uint64_t balancer_now(const struct world *w)
{
	return w->now + w->lb.ahead;
}

static void note_flow(void *arg, enum flow_event event, const struct flow *flow,
		      const struct flow_note *note)
{
	judge_flow(arg, event, flow, note);
}

static void note_refused(void *arg, unsigned service,
			 const struct endpoint *client, enum drop_reason why)
{
	struct world *w = arg;

	(void)service;
	(void)client;
	w->lb.refused[why]++;
}

static void note_backend(void *arg, enum backend_event event, unsigned service,
			 unsigned backend, enum check_result why)
{
	(void)why;
	judge_backend(arg, event, service, backend);
}

/* All backends are on one link, and clients are on another. */
#define LINK 1

static void know_ways(struct world *w)
{
	for (unsigned i = 0; i < engine_n_ways(w->lb.e); i++)
		engine_set_way(w->lb.e, i, LINK);
	engine_link_heard(w->lb.e, LINK, w->lb.heard);
}

static void hear(struct world *w)
{
	w->lb.heard = balancer_now(w); /* outlives a restart of ours */
	if (w->lb.e)
		engine_link_heard(w->lb.e, LINK, w->lb.heard);
}

void balancer_cut(struct world *w, uint64_t for_ns)
{
	w->lb.cut_from = w->now;
	w->lb.cut_until = w->now + for_ns;
	world_trace(w, "nothing comes through to backends, for %u s",
		    (unsigned)(for_ns / SEC));
}

bool balancer_is_cut(const struct world *w)
{
	return w->now >= w->lb.cut_from && w->now < w->lb.cut_until;
}

void balancer_neighbours(struct world *w)
{
	for (unsigned i = w->plan.n_clients; i < w->n_hosts; i++)
		if (!balancer_is_cut(w) && w->hosts[i].health != HOST_SILENT)
			hear(w);
}

/* A process starts; @flows is what an earlier one left. */
static int start(struct world *w, struct flow *flows)
{
	struct engine_spec *spec = &w->plan.spec;
	struct err err;

	spec->flows = flows;
	spec->seed = random_next(&w->random);
	for (int i = 0; i < FLOW_SECRET_BYTES; i++)
		spec->secret[i] = (uint8_t)roll(w, 256);
	spec->on_flow = note_flow;
	spec->on_refused = note_refused;
	spec->on_backend = note_backend;
	spec->on_arg = w;
	w->lb.flows = flows;
	w->lb.sent = w->lb.translated = w->lb.left_packets = 0;
	w->lb.opened = w->lb.ended = 0;
	memset(w->lb.refused, 0, sizeof(w->lb.refused));
	w->lb.started = w->now;
	if (engine_new(&w->lb.e, spec, balancer_now(w), &err))
		return -1;
	know_ways(w);
	/* What was removed has flows that outlive a restart. */
	for (unsigned i = 0; i < PLAN_ALL; i++)
		if (w->plan.leaving[i])
			engine_leave_service(w->lb.e, i, LEAVE_KEEP,
					     balancer_now(w));
	return 0;
}

int balancer_start(struct world *w)
{
	uint32_t n = w->plan.spec.n_flows;
	struct flow *flows = aligned_alloc(64, n * sizeof(*flows));

	w->lb.seen = calloc(n, sizeof(*w->lb.seen));
	if (!flows || !w->lb.seen)
		return -1;
	memset(flows, 0, n * sizeof(*flows));
	return start(w, flows);
}

static void count(struct world *w)
{
	const struct engine_counters *c = engine_counters(w->lb.e);

	for (int i = 0; i < DROP_REASONS; i++)
		w->stats.dropped[i] += c->dropped[i];
	w->stats.packets += c->received;
	w->stats.redispatched += c->redispatched;
	w->stats.repaired += c->repaired;
	w->stats.lb_resets += c->reset;
	w->stats.recycled += c->recycled_closed + c->recycled_half_open +
			     c->recycled_half_closed;
	w->stats.expired += c->expired;
}

void balancer_stop(struct world *w)
{
	if (!w->lb.e)
		return;
	count(w);
	engine_free(w->lb.e);
	w->lb.e = NULL;
}

void balancer_free(struct world *w)
{
	balancer_stop(w);
	free(w->lb.flows);
	free(w->lb.seen);
}

/* ------------------------------------------------------------- what leaves */

static void send_segment(struct world *w, const struct segment *seg)
{
	struct pkt *p = world_pkt(w);
	struct frame f = {.src = seg->src,
			  .dst = seg->dst,
			  .seq = seg->seq,
			  .ack = seg->ack,
			  .window = seg->window,
			  .flags = seg->flags,
			  .options = seg->options,
			  .options_len = seg->options_len};

	w->lb.sent++;
	if (!p)
		return;
	p->len = frame_build(&f, p->bytes);
	p->origin = (struct origin){.conn = -1};
	world_trace_pkt(w, "balancer says", p);
	path_from_lb(w, p);
}

static void ask_probe(struct world *w, const struct probe_request *r)
{
	uint64_t answer = w->now + roll_ns(w, MS, 30 * MS);

	world_at(w, answer, EV_PROBE, r->service * 256 + r->backend, r->number);
}

/* More SYNs than can be carried: few turns in which to read them. */
static void be_overloaded(struct world *w)
{
	if (w->phase != ROUGH)
		return;
	if (roll(w, 50) == 0)
		engine_syns_lost(w->lb.e, balancer_now(w));
	if (roll(w, 200) == 0)
		engine_syn_turn(w->lb.e, balancer_now(w));
}

/* After everything that the engine was told. */
static void run(struct world *w)
{
	struct probe_request probe;
	struct segment seg;
	uint64_t next, now = balancer_now(w);
	int link;

	w->lb.touched = true;
	if (w->plan.overload)
		be_overloaded(w);
	next = engine_tick(w->lb.e, now, BUDGET);
	changer_finish(w);
	while (engine_next(w->lb.e, &seg))
		send_segment(w, &seg);
	while (engine_next_probe(w->lb.e, &probe))
		ask_probe(w, &probe);
	while (engine_next_ask(w->lb.e, &link))
		world_at(w, w->now + MS, EV_NEIGHBOURS, 0, 0);
	if (next == WHEEL_IDLE)
		return;
	if (next <= now) /* there is more to do */
		next = now + MS / 10;
	next -= w->lb.ahead;
	if (w->lb.armed <= w->now || next < w->lb.armed) {
		w->lb.armed = next;
		world_at(w, next, EV_LB_TIMER, 0, 0);
	}
}

/* ----------------------------------------------------------- what arrives */

static void forward(struct world *w, struct pkt *p, struct packet *packet)
{
	bool kind_right;

	memcpy(p->bytes, packet->hdr, packet->hdr_len);
	kind_right = frame_csum_is(packet->csum == CSUM_FULL ? FRAME_FULL
							     : FRAME_PARTIAL,
				   p->bytes, p->len);
	if (!kind_right)
		world_break(w, "checksums are right when a packet leaves");
	packet_complete_csum(packet);
	memcpy(p->bytes, packet->hdr, packet->hdr_len);
}

static enum verdict receive_tcp(struct world *w, struct pkt *p)
{
	struct packet packet;
	enum drop_reason why;
	enum verdict v;

	if (parse_packet(&packet, p->bytes, p->len, &why)) {
		engine_refused(w->lb.e, why);
		return VERDICT_DROP;
	}
	engine_prepare(w->lb.e, &packet, 1);
	v = engine_packet(w->lb.e, &packet, balancer_now(w));
	if (v == VERDICT_SEND) {
		p->len = packet_len(&packet);
		forward(w, p, &packet);
	}
	return v;
}

static enum verdict receive_icmp(struct world *w, struct pkt *p)
{
	struct icmp_error m;
	enum drop_reason why;
	enum verdict v;

	if (parse_icmp(&m, p->bytes, p->len, &why)) {
		engine_refused(w->lb.e, why);
		return VERDICT_DROP;
	}
	v = engine_icmp(w->lb.e, &m, balancer_now(w));
	if (v != VERDICT_SEND)
		return v;
	p->len = m.msg.len;
	memcpy(p->bytes, m.msg.ip, m.msg.len);
	judge_icmp(w, p);
	w->lb.translated++;
	return v;
}

/* Without what may lie behind it, as padding does in short frames. */
static uint32_t ip_len(const struct pkt *p)
{
	uint32_t len = p->len < 4 ? 0 : frame_get16(p->bytes + 2);

	return len && len < p->len ? len : p->len;
}

bool balancer_is_deaf(const struct world *w)
{
	return w->now >= w->lb.deaf_from && w->now < w->lb.deaf_until;
}

/* Three of ten frames find no room in the ring. */
static bool finds_no_room(struct world *w)
{
	bool lost = balancer_is_deaf(w) && roll(w, 10) < 3;

	if (balancer_is_deaf(w))
		engine_lost(w->lb.e, !lost, lost, balancer_now(w));
	return lost;
}

void balancer_receive(struct world *w, struct pkt *p)
{
	struct engine_counters before;
	bool icmp = path_is_icmp(p), was_frame;
	struct frame in, out;
	struct pkt was;
	enum verdict v;

	if (!w->lb.e || w->now < w->lb.frozen_until || finds_no_room(w)) {
		world_drop_pkt(w, p);
		return;
	}
	/* As in path.c: from where backends are, and attackers are not. */
	if (p->bytes[14] == 0 && !p->origin.forged)
		hear(w);
	before = *engine_counters(w->lb.e);
	was.len = ip_len(p);
	memcpy(was.bytes, p->bytes, p->len);
	world_trace_pkt(w, "balancer gets", p);
	v = icmp ? receive_icmp(w, p) : receive_tcp(w, p);
	was_frame = !icmp && frame_read(&in, was.bytes, was.len);
	if (v == VERDICT_SEND && !icmp &&
	    !(was_frame && frame_read(&out, p->bytes, p->len)))
		world_break(w, "what leaves is a well-formed packet");
	else if (was_frame)
		judge_forward(w, &p->origin, &in,
			      v == VERDICT_SEND ? &out : NULL, &before);
	if (v == VERDICT_SEND) {
		w->lb.sent++;
		world_trace_pkt(w, "balancer sends", p);
		path_from_lb(w, p);
	} else {
		world_trace_drop(w, &before);
		world_drop_pkt(w, p);
	}
	run(w);
}

void balancer_leaves(struct world *w, unsigned service, unsigned backend)
{
	const struct backend_counters *c =
		engine_backend_counters(w->lb.e, service, backend);

	w->lb.left_packets += c->packets[FLOW_ORIG] + c->packets[FLOW_REPLY];
}

void balancer_changed(struct world *w)
{
	know_ways(w);
	run(w);
}

void balancer_timer(struct world *w)
{
	if (w->now < w->lb.armed)
		return; /* an earlier one replaced it */
	w->lb.armed = 0;
	if (!w->lb.e)
		return;
	if (w->now < w->lb.frozen_until) {
		w->lb.armed = w->lb.frozen_until;
		world_at(w, w->lb.armed, EV_LB_TIMER, 0, 0);
		return;
	}
	run(w);
}

const struct host *balancer_host(const struct world *w, unsigned service,
				 unsigned backend)
{
	const struct backend_spec *b = &w->plan.backends[service][backend];

	for (unsigned i = w->plan.n_clients; i < w->n_hosts; i++)
		if (addr_equal(&w->hosts[i].addr, &b->addr.addr))
			return &w->hosts[i];
	return NULL;
}

void balancer_probe_result(struct world *w, uint32_t which, uint32_t number)
{
	unsigned service = which / 256, backend = which % 256;
	const struct host *h = balancer_host(w, service, backend);
	enum check_result result = CHECK_OK;

	if (!w->lb.e || w->now < w->lb.frozen_until)
		return;
	if (balancer_is_cut(w) || !h)
		return;
	switch (h->health) {
	case HOST_UP: break;
	case HOST_REFUSING: result = CHECK_REFUSED; break;
	case HOST_SILENT:
	case HOST_HUNG:
	case HOST_FROZEN: return; /* the engine waits long enough */
	}
	engine_probe_result(w->lb.e, service, backend, number, result,
			    balancer_now(w));
	run(w);
}

/* --------------------------------------------------------------- restarts */

static void go(struct world *w, uint64_t after)
{
	w->stats.restarts++;
	balancer_stop(w);
	world_at(w, w->now + after, EV_LB_BACK, 0, 0);
}

void balancer_kill(struct world *w, uint64_t after)
{
	if (!w->lb.e)
		return;
	world_trace(w, "balancer is killed");
	go(w, after);
}

void balancer_exit(struct world *w, uint64_t after)
{
	uint32_t n = w->plan.spec.n_flows;
	struct segment seg;

	if (!w->lb.e)
		return;
	world_trace(w, "balancer is told to go");
	conn_excuse_all(w, EXC_EXIT);
	w->lb.leaving = true;
	while (engine_reset_all(w->lb.e, balancer_now(w)))
		while (engine_next(w->lb.e, &seg))
			send_segment(w, &seg);
	for (uint32_t i = 0; i < n; i++)
		if (w->lb.flows[i].open &&
		    !tcp_is_closed(w->lb.flows[i].tcp.state))
			world_break(w, "a clean exit leaves no flow open");
	memset(w->lb.flows, 0, n * sizeof(*w->lb.flows));
	memset(w->lb.seen, 0, n * sizeof(*w->lb.seen));
	go(w, after);
	w->lb.leaving = false;
}

/* One backend gets no new flows, or is no longer configured, or is again. */
static void reconfigure(struct world *w)
{
	int service = w->plan.slots[roll(w, w->plan.n_services)];
	unsigned i = roll(w, w->plan.n_backends);
	struct backend_spec *b;

	if (!w->plan.reconfigures || service < 0 || i == 0 || roll(w, 2))
		return;
	b = &w->plan.backends[service][i];
	if (b->unused && !b->n_sources)
		return;
	b->unused = false;
	if (b->gone || b->params.weight == 0) {
		b->gone = false;
		b->params.weight = 1;
	} else if (roll(w, 2)) {
		b->gone = true;
	} else {
		b->params.weight = 0;
	}
	world_trace(w, "backend %u of service %d: weight %u%s", i, service,
		    b->params.weight, b->gone ? ", gone" : "");
}

void balancer_back(struct world *w)
{
	uint32_t n = w->plan.spec.n_flows, refused = 0, open = 0;
	struct flow *old = w->lb.flows;
	struct flow *flows = aligned_alloc(64, n * sizeof(*flows));
	int64_t adopted;

	if (!flows)
		abort();
	memcpy(flows, old, n * sizeof(*flows));
	for (uint32_t i = 0; i < n; i++)
		open += old[i].open;
	free(old);
	reconfigure(w);
	if (start(w, flows))
		abort();
	adopted = engine_adopt(w->lb.e, balancer_now(w), &refused);
	inside_balance(w->lb.e);
	for (uint32_t i = 0; i < n; i++)
		w->lb.opened +=
			flows[i].open && !tcp_is_closed(flows[i].tcp.state);
	world_trace(w, "balancer is back with %d flows", (int)adopted);
	judge_restart(w, open, adopted, refused);
	run(w);
}
