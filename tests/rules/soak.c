/* SPDX-License-Identifier: MIT */
/*
 * soak.c - whatever clients, backends and time do, the rules hold
 *
 * Clients and backends behave well, badly or at random over a small table and
 * few ports, all driven by one seed. After every step: everything in rules.c,
 * and what is said at each check below.
 */
#include <arpa/inet.h>
#include <string.h>

#include "rig.h"
#include "rules.h"
#include "unit.h"

#define STEPS	 6000
#define CONNS	 24
#define FLOWS	 16
#define PORTS	 5
#define RUNS	 60
#define BACKENDS 3

/* What was said about the flow that uses a place of the table. */
struct seen {
	enum tcp_state state;
	uint64_t id;
	struct flow_pair pair[FLOW_SIDES];
};

struct world {
	struct rig *r;
	struct random random;
	struct conn conns[CONNS];
	struct seen seen[FLOWS];
	uint64_t n_events[FLOW_REDISPATCHED + 1];
	const char *broken;
};

static uint32_t below(struct world *w, uint32_t n)
{
	return random_below(&w->random, n);
}

static void on_flow(void *arg, enum flow_event what, const struct flow *f,
		    const struct flow_note *note)
{
	struct world *w = arg;

	w->n_events[what]++;
	if (what == FLOW_ENDED && note->end == FLOW_END_RECYCLED &&
	    f->tcp.state == TCP_ESTABLISHED)
		w->broken = "an established flow is never recycled";
}

static struct world *world_new(uint64_t seed)
{
	struct world *w = calloc(1, sizeof(*w));
	struct rig_setup *s;

	ck_assert_ptr_nonnull(w);
	w->random.state = seed;
	w->r = rig_new(BACKENDS);
	s = &w->r->setup;
	s->backends[0][1].n_sources = 2;
	s->backends[0][1].sources[1] = frame_addr("198.18.0.2");
	s->backends[0][2].params.backup = true;
	s->services[0].params.scheduler = seed % SCHED_KINDS;
	s->services[0].params.retries = seed % 4;
	s->services[0].params.syn_timeout_ms = ENGINE_SYN_TIMEOUT_MS_DEFAULT;
	rig_add_service(w->r, 20001);
	s->services[1].params.half_open_max = 3;
	s->spec.n_flows = FLOWS;
	s->spec.n_ports = PORTS;
	s->spec.seed = seed;
	s->spec.on_flow = on_flow;
	s->spec.on_refused = NULL;
	s->spec.on_arg = w;
	rig_start(w->r);
	for (unsigned i = 0; i < CONNS; i++) {
		w->conns[i] = conn_make(w->r, i / 2);
		w->conns[i].vip.port = htons((uint16_t)(20000 + i % 2));
		w->conns[i].backend = s->backends[0][0].addr;
		w->conns[i].nat = frame_endpoint("198.18.0.1", RIG_PORT_LO);
	}
	return w;
}

static void world_free(struct world *w)
{
	rig_free(w->r);
	free(w);
}

/* Each reply goes to the client that the flow of its two ends belongs to. */
static void check_way(struct world *w, enum flow_side side,
		      const struct conn *c)
{
	const struct flow *f = NULL;
	uint32_t i = 0;

	while ((f = flow_next(engine_flows(w->r->e), i))) {
		struct endpoint end[2] = {flow_client(f), flow_backend(f)};
		struct endpoint us[2] = {flow_vip(f), flow_nat(f)};
		const struct endpoint *src = side ? &c->backend : &c->client;
		const struct endpoint *dst = side ? &c->nat : &c->vip;

		i = flow_index(engine_flows(w->r->e), f) + 1;
		if (!endpoint_equal(src, &end[side]) ||
		    !endpoint_equal(dst, &us[side]))
			continue;
		if (!endpoint_equal(&w->r->out.src, &us[!side]) ||
		    !endpoint_equal(&w->r->out.dst, &end[!side]))
			w->broken = "a packet goes to the other end";
		return;
	}
	w->broken = "what is forwarded belongs to a flow";
}

/* One segment, mostly as the connection wants it. */
static void send_something(struct world *w, struct conn *c)
{
	static const uint8_t flags[] = {ACK,	   ACK, ACK | PSH, SYN | ACK,
					FIN | ACK, RST, RST | ACK, SYN};
	enum flow_side side = below(w, FLOW_SIDES);
	struct frame f = conn_frame(c, side, flags[below(w, 8)],
				    below(w, 3) ? 0 : below(w, 3000));

	if (below(w, 8) == 0)
		f.seq += (uint32_t)random_next(&w->random) >> below(w, 32);
	if (below(w, 8) == 0)
		f.ack += (uint32_t)random_next(&w->random) >> below(w, 32);
	if (below(w, 20) == 0)
		f.csum = below(w, 2) ? FRAME_WRONG : FRAME_PARTIAL;
	if (below(w, 20) == 0)
		f.ttl = (uint8_t)(1 + below(w, 2));
	if (rig_send(w->r, &f))
		check_way(w, side, c);
}

/* The next segment of a connection that goes its way. */
static void go_on(struct world *w, struct conn *c)
{
	struct rig *r = w->r;

	switch (conn_state(r, c)) {
	case TCP_STATES:
	case TCP_TIME_WAIT:
	case TCP_RESET:
		c->seq[FLOW_ORIG] += 100000 + below(w, 1000000000);
		c->seq[FLOW_REPLY] = (uint32_t)random_next(&w->random);
		conn_syn(r, c);
		break;
	case TCP_SYN_SENT: conn_send(r, c, FLOW_REPLY, SYN | ACK, 0); break;
	case TCP_SYN_RECEIVED: conn_send(r, c, FLOW_ORIG, ACK, 0); break;
	case TCP_ESTABLISHED:
	case TCP_FIN_WAIT:
	case TCP_CLOSING:
		conn_send(r, c, below(w, 2),
			  below(w, 4) ? ACK | PSH : FIN | ACK, below(w, 1461));
		break;
	}
}

static void change_backends(struct world *w)
{
	struct service *s = inside_service(w->r->e, below(w, 2));
	struct backend *b = &s->backends[below(w, BACKENDS)];

	if (below(w, 2))
		b->up = !b->up;
	else
		b->params.weight = below(w, 4);
}

static void pass_time(struct world *w)
{
	static const uint64_t most[] = {RIG_S / 10, RIG_S, 20 * RIG_S,
					100 * RIG_S, 8000 * RIG_S};
	uint64_t ns = random_next(&w->random) % most[below(w, 4)];

	if (below(w, 100) == 0)
		ns = most[4];
	rig_wait(w->r, ns);
}

/* An identity is written once, and each end is told once. */
static void check_flows(struct world *w)
{
	const struct flow_table *t = engine_flows(w->r->e);
	uint64_t living = 0;

	for (uint32_t i = 0; i < FLOWS; i++) {
		const struct flow *f = &t->flows[i];

		if (!f->open)
			continue;
		living += !tcp_is_closed(f->tcp.state);
		/* until the SYN-ACK it may: redispatch and repair */
		if (f->id == w->seen[i].id &&
		    w->seen[i].state != TCP_SYN_SENT &&
		    memcmp(f->pair, w->seen[i].pair, sizeof(f->pair)) != 0)
			w->broken = "a flow's identity never changes";
		w->seen[i].id = f->id;
		w->seen[i].state = f->tcp.state;
		memcpy(w->seen[i].pair, f->pair, sizeof(f->pair));
	}
	if (w->n_events[FLOW_OPENED] + w->n_events[FLOW_REVIVED] !=
	    living + w->n_events[FLOW_ENDED])
		w->broken = "each opened flow lives or its end was told";
}

static void step(struct world *w)
{
	struct conn *c = &w->conns[below(w, CONNS)];

	conn_refresh(w->r, c);
	switch (below(w, 16)) {
	case 0:
	case 1:
	case 2: send_something(w, c); break;
	case 3: change_backends(w); break;
	case 4: pass_time(w); break;
	default: go_on(w, c); break;
	}
	if (below(w, 4))
		rig_drain(w->r);
	if (!w->broken)
		w->broken = rules_broken(w->r->e);
	if (!w->broken)
		check_flows(w);
}

START_TEST(rules_hold_whatever_happens)
{
	struct random base = unit_random(__func__);
	const uint64_t seed = base.state + (uint64_t)_i;
	struct world *w = world_new(seed);
	const struct engine_counters *n = engine_counters(w->r->e);
	int i;

	for (i = 0; i < STEPS && !w->broken; i++)
		step(w);
	ck_assert_msg(!w->broken, "L4LB_SEED=%" PRIu64 ", step %d: %s", seed, i,
		      w->broken);
	/* it was no idle run */
	ck_assert_uint_gt(n->forwarded, STEPS / 3);
	ck_assert_uint_gt(n->recycled_closed, 0);
	ck_assert_uint_gt(n->recycled_half_open, 0);
	ck_assert_uint_gt(n->expired, 0);
	ck_assert_uint_gt(n->dropped[DROP_TABLE_FULL] +
				  n->dropped[DROP_NO_BACKEND] +
				  n->dropped[DROP_NO_PORT],
			  0);
	world_free(w);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{rules_hold_whatever_happens, RUNS},
	};

	return unit_run("soak", tests, ARRAY_LEN(tests));
}
