/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attacker.h"
#include "changer.h"
#include "inside.h"
#include "judge.h"
#include "path.h"

#define START	   (5000 * SEC) /* uptime when the history begins */
#define FAIR_NS	   (150 * SEC)
#define NO_PKT	   UINT32_MAX
#define STEPS_MAX  2000000
#define LIVE_STEPS 16  /* between two looks at all live connections */
#define RULE_STEPS 256 /* the same at the engine from inside */

/* -------------------------------------------------------------- reporting */

void world_break(struct world *w, const char *format, ...)
{
	va_list args;

	if (w->broken[0])
		return;
	va_start(args, format);
	vsnprintf(w->broken, sizeof(w->broken), format, args);
	va_end(args);
}

void world_trace(const struct world *w, const char *format, ...)
{
	va_list args;

	if (!w->trace)
		return;
	printf("%8" PRIu64 " %12.6f  ", w->step,
	       (double)(w->now - START) / SEC);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

static void flags_text(uint8_t flags, char text[9])
{
	static const char letters[] = "FSRPAUEC";
	int n = 0;

	for (int i = 0; i < 8; i++)
		if (flags >> i & 1)
			text[n++] = letters[i];
	text[n] = 0;
}

void world_trace_pkt(const struct world *w, const char *what,
		     const struct pkt *p)
{
	char src[ENDPOINT_TEXT_MAX], dst[ENDPOINT_TEXT_MAX], flags[9];
	struct frame f;

	if (!w->trace)
		return;
	if (!frame_read(&f, p->bytes, p->len)) {
		world_trace(w, "%s %u bytes, protocol %u", what, p->len,
			    p->len > 9 ? p->bytes[9] : 0);
		return;
	}
	flags_text(f.flags, flags);
	world_trace(w, "%-14s %s > %s %s seq %u ack %u win %u len %u  (%d%s)",
		    what, endpoint_format(&f.src, src),
		    endpoint_format(&f.dst, dst), flags, f.seq, f.ack, f.window,
		    f.payload_len, p->origin.conn,
		    p->origin.forged ? " forged" : "");
}

void world_trace_drop(const struct world *w,
		      const struct engine_counters *before)
{
	const struct engine_counters *now = engine_counters(w->lb.e);

	for (int i = 0; i < DROP_REASONS; i++)
		if (now->dropped[i] != before->dropped[i])
			world_trace(w, "dropped: %s",
				    drop_name((enum drop_reason)i));
}

/* ----------------------------------------------------------------- events */

static bool earlier(const struct event *a, const struct event *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

void world_at(struct world *w, uint64_t at, enum event_kind kind, uint32_t ref,
	      uint32_t uid)
{
	struct event ev = {at, w->order++, kind, ref, uid};
	unsigned i = w->n_events;

	if (w->n_events == EVENTS_MAX) {
		world_break(w, "this world has room for its events");
		return;
	}
	w->n_events++;
	for (; i > 0 && earlier(&ev, &w->heap[(i - 1) / 2]); i = (i - 1) / 2)
		w->heap[i] = w->heap[(i - 1) / 2];
	w->heap[i] = ev;
}

static struct event take_event(struct world *w)
{
	struct event first = w->heap[0], last = w->heap[--w->n_events];
	unsigned i = 0, child;

	while ((child = 2 * i + 1) < w->n_events) {
		if (child + 1 < w->n_events &&
		    earlier(&w->heap[child + 1], &w->heap[child]))
			child++;
		if (!earlier(&w->heap[child], &last))
			break;
		w->heap[i] = w->heap[child];
		i = child;
	}
	w->heap[i] = last;
	return first;
}

/* ---------------------------------------------------------------- packets */

struct pkt *world_pkt(struct world *w)
{
	struct pkt *p;

	if (w->free_pkt == NO_PKT)
		return NULL;
	p = &w->pkts[w->free_pkt];
	w->free_pkt = p->next_free;
	return p;
}

void world_drop_pkt(struct world *w, struct pkt *p)
{
	p->next_free = w->free_pkt;
	w->free_pkt = world_ref(w, p);
}

/* ----------------------------------------------------------------- phases */

static void in_a_while(struct world *w, enum event_kind kind, uint64_t mean)
{
	world_at(w, w->now + roll_ns(w, mean / 10, 2 * mean), kind, 0, 0);
}

static void misfortune(struct world *w)
{
	switch (roll(w, 5)) {
	case 0:
		if (w->plan.restarts)
			balancer_kill(w, roll_ns(w, 0, 3 * SEC));
		break;
	case 3:
		if (w->plan.restarts && roll(w, 3) == 0)
			balancer_exit(w, roll_ns(w, 0, 3 * SEC));
		break;
	case 1:
		if (!w->plan.jumps)
			break;
		w->lb.ahead += roll_ns(w, SEC, 8000 * SEC);
		w->lb.well_from = w->now;
		conn_excuse_all(w, EXC_JUMP);
		world_trace(w, "the balancer's clock jumps");
		break;
	case 2:
		if (w->plan.restarts)
			w->lb.frozen_until = w->now + roll_ns(w, MS, 3 * SEC);
		w->lb.well_from = w->lb.frozen_until;
		break;
	default: host_fault(w); break;
	}
}

/* Once, and not so long that TCP itself gives up. */
static void maybe_cut(struct world *w, uint64_t at)
{
	if (!w->plan.cuts || roll(w, 2))
		return;
	w->stats.cuts++;
	world_at(w, at, EV_CUT, 10 + roll(w, 20), 0);
}

static void begin_fair(struct world *w)
{
	world_trace(w, "the network is fair from here");
	w->phase = FAIR;
	w->fair_from = w->now;
	if (balancer_is_cut(w))
		w->lb.cut_until = w->now;
	for (unsigned i = 0; i < w->n_hosts; i++)
		host_restore(w, i);
	if (w->plan.change_ns)
		changer_settle(w);
	if (w->plan.n_backends > 1 && roll(w, 3) == 0)
		host_break(w, w->plan.n_clients + roll(w, w->plan.n_backends));
	/* Whoever was in a long pause has had enough of it. */
	for (unsigned i = 0; i < w->n_live; i++) {
		struct tcp_end *e = &w->ends[w->live[i]];

		if ((end_synced(e) || e->early) && e->state != END_TIME_WAIT)
			app_start(w, e);
	}
	for (unsigned i = 0; i < 6; i++)
		world_at(w, w->now + (10 + 3 * i) * SEC, EV_CONNECT, 0, 0);
	if (roll(w, 3) == 0) {
		w->lb.deaf_from = w->now + 20 * SEC;
		w->lb.deaf_until = w->lb.deaf_from + 6 * SEC;
	}
	maybe_cut(w, w->now + 45 * SEC);
	world_at(w, w->now + FAIR_NS, EV_PHASE, 0, 0);
}

static uint64_t longest_timeout(const struct world *w)
{
	const struct engine_timeouts *t = &w->plan.timeouts;
	uint32_t s = t->established;

	if (s < t->closing)
		s = t->closing;
	return (s + t->closed + 400ull) * SEC;
}

static void next_phase(struct world *w)
{
	if (w->phase == ROUGH) {
		begin_fair(w);
		return;
	}
	judge_fair(w);
	w->phase = QUIET;
	/* Nobody is listening any more, and checks would go on for ever. */
	for (unsigned i = 0; i < engine_services(w->lb.e); i++)
		inside_service(w->lb.e, i)->params.checked = false;
	/* Time passes in one go. */
	for (uint64_t end = balancer_now(w) + longest_timeout(w);
	     balancer_now(w) < end && !w->broken[0];) {
		struct segment seg;
		uint64_t next = engine_tick(w->lb.e, balancer_now(w), 64);

		while (engine_next(w->lb.e, &seg))
			w->lb.sent++;
		w->lb.touched = true;
		judge_step(w);
		if (next > end)
			next = end;
		if (next > balancer_now(w))
			w->lb.ahead = next - w->now;
	}
	judge_quiet(w);
}

/* ------------------------------------------------------------------ steps */

static void lb_gets(struct world *w, uint32_t ref)
{
	balancer_receive(w, &w->pkts[ref]);
}

static void host_gets(struct world *w, uint32_t ref)
{
	struct pkt *p = &w->pkts[ref];

	host_receive(w, p);
	world_drop_pkt(w, p);
}

static void connect_one(struct world *w)
{
	conn_open(w);
	if (w->phase == ROUGH)
		in_a_while(w, EV_CONNECT, w->plan.connect_ns);
}

static void fault(struct world *w)
{
	if (w->phase != ROUGH)
		return;
	misfortune(w);
	in_a_while(w, EV_FAULT, w->plan.fault_ns);
}

static void change(struct world *w)
{
	if (w->phase != ROUGH)
		return;
	changer_step(w);
	in_a_while(w, EV_CHANGE, w->plan.change_ns);
}

static void attack(struct world *w)
{
	if (w->phase != ROUGH)
		return;
	attacker_step(w);
	in_a_while(w, EV_ATTACK, w->plan.attack_ns);
}

static void step(struct world *w, const struct event *ev)
{
	struct tcp_end *e = &w->ends[ev->ref % ENDS_MAX];
	bool same = e->uid == ev->uid;

	switch (ev->kind) {
	case EV_TO_LB: lb_gets(w, ev->ref); break;
	case EV_TO_HOST: host_gets(w, ev->ref); break;
	case EV_END_TIMER:
		if (same)
			end_timer(w, e);
		break;
	case EV_APP:
		if (same)
			app_step(w, e);
		break;
	case EV_LB_TIMER: balancer_timer(w); break;
	case EV_LB_BACK: balancer_back(w); break;
	case EV_PROBE: balancer_probe_result(w, ev->ref, ev->uid); break;
	case EV_CONNECT: connect_one(w); break;
	case EV_CUT: balancer_cut(w, ev->ref * SEC); break;
	case EV_NEIGHBOURS: balancer_neighbours(w); break;
	case EV_FAULT: fault(w); break;
	case EV_CHANGE: change(w); break;
	case EV_ATTACK: attack(w); break;
	case EV_PHASE: next_phase(w); break;
	case EV_KINDS: break;
	}
}

struct world *world_new(uint64_t seed, bool trace)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		abort();
	w->seed = seed;
	w->trace = trace;
	/* Mixed: seeds next to each other have nothing in common. */
	w->random.state = seed;
	w->random.state = random_next(&w->random);
	w->now = START;
	w->pkts = malloc(PKTS_MAX * sizeof(*w->pkts));
	if (!w->pkts)
		abort();
	for (uint32_t i = 0; i < PKTS_MAX; i++)
		w->pkts[i].next_free = i + 1 < PKTS_MAX ? i + 1 : NO_PKT;
	plan_make(w);
	if (balancer_start(w))
		abort();
	return w;
}

void world_free(struct world *w)
{
	balancer_free(w);
	free(w->pkts);
	free(w);
}

const char *world_run(struct world *w)
{
	world_at(w, w->now, EV_LB_TIMER, 0, 0);
	world_at(w, w->now + w->plan.rough_ns, EV_PHASE, 0, 0);
	in_a_while(w, EV_CONNECT, w->plan.connect_ns);
	if (w->plan.rough_ns > 20 * SEC)
		maybe_cut(w, w->now + roll_ns(w, SEC, 10 * SEC));
	if (w->plan.fault_ns)
		in_a_while(w, EV_FAULT, w->plan.fault_ns);
	if (w->plan.attack_ns)
		in_a_while(w, EV_ATTACK, w->plan.attack_ns);
	if (w->plan.change_ns)
		in_a_while(w, EV_CHANGE, w->plan.change_ns);

	while (w->phase != QUIET && !w->broken[0]) {
		struct event ev = take_event(w);

		w->now = ev.at;
		w->step++;
		step(w, &ev);
		if (w->phase != QUIET)
			judge_step(w);
		if (w->phase != QUIET && w->step % LIVE_STEPS == 0)
			judge_live(w);
		if (w->phase != QUIET && w->step % RULE_STEPS == 0)
			judge_rules(w);
		if (w->step > STEPS_MAX)
			world_break(w, "a history comes to its end");
	}
	w->stats.steps = w->step;
	balancer_stop(w);
	return w->broken[0] ? w->broken : NULL;
}
