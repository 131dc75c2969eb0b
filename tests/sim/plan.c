/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "world.h"

static bool maybe(struct world *w, unsigned of)
{
	return roll(w, of) == 0;
}

static uint32_t rate(struct world *w, uint32_t most)
{
	return maybe(w, 2) ? 0 : roll(w, most);
}

static void plan_link(struct world *w, struct habits *h)
{
	h->loss = rate(w, 120);
	h->dup = rate(w, 80);
	h->corrupt = rate(w, 40);
	h->late = rate(w, 30);
	h->delay = roll_ns(w, MS / 10, 30 * MS);
	h->jitter = maybe(w, 2) ? 0 : roll_ns(w, 0, 40 * MS);
}

static void plan_timeouts(struct world *w, struct engine_timeouts *t)
{
	*t = (struct engine_timeouts)ENGINE_TIMEOUTS_DEFAULT;
	if (maybe(w, 3))
		return;
	t->syn_received = 20 + roll(w, 60);
	t->established = 60 + roll(w, 600);
	t->closing = 60 + roll(w, 240);
	t->closed = 5 + roll(w, 60);
	t->keepalive = maybe(w, 2) ? 0 : 1 + roll(w, 20);
}

/* Everybody has a pace of his own, so that ports outlive their checks. */
static void plan_pace(struct world *w, struct health_params *h)
{
	static const uint32_t intervals_ms[] = {200, 1000, 1000, 5000, 300000};
	static const uint32_t timeouts_ms[] = {500, 500, 1000, 2000};

	h->interval_ms = intervals_ms[roll(w, 5)];
	h->timeout_ms = timeouts_ms[roll(w, 4)];
	h->fall = 3 + roll(w, 2);
}

/* Those that clients know are to notice soon who is back. */
static void plan_checks(struct world *w, struct service_spec *s)
{
	s->params.checked = maybe(w, 2);
	s->params.check.kind = maybe(w, 3) ? CHECK_TCP : CHECK_SYN;
	s->params.health = (struct health_params)HEALTH_PARAMS_DEFAULT;
	s->params.health.slow_start_ms = maybe(w, 3) ? 3000 : 0;
	if (!s->params.checked && maybe(w, 2))
		return;
	if (maybe(w, 2)) {
		s->params.breaker =
			(struct breaker_params)BREAKER_PARAMS_DEFAULT;
		s->params.breaker.open_max_ms = 5000;
	}
}

static void plan_service(struct world *w, unsigned i)
{
	struct service_spec *s = &w->plan.services[i];

	*s = (struct service_spec){
		.listen = frame_endpoint("198.18.0.1", (uint16_t)(20000 + i)),
		.params.scheduler = (enum sched_kind)roll(w, SCHED_KINDS),
		.params.reset_out_of_state = !maybe(w, 8),
		.params.drop_all_down = maybe(w, 4),
		.params.keep_on_down = maybe(w, 3),
		.params.retries = roll(w, 4),
		.params.syn_timeout_ms = ENGINE_SYN_TIMEOUT_MS_DEFAULT,
		.params.half_open_max = 0,
		.params.drain_timeout_s = maybe(w, 4) ? 1 + roll(w, 20) : 0,
		.n_backends = PLAN_SLOTS,
		.backends = w->plan.backends[i],
	};
	plan_checks(w, s);
}

/*
 * A service without clients: only its checks are of this world. Some worlds
 * have more of them than there are ports for checks.
 */
static void plan_watcher(struct world *w, unsigned i)
{
	plan_service(w, i);
	w->plan.services[i].params.checked = true;
	w->plan.services[i].params.check.kind =
		maybe(w, 6) ? CHECK_TCP : CHECK_SYN;
	plan_pace(w, &w->plan.services[i].params.health);
}

static void plan_backends(struct world *w, unsigned service, unsigned n_sources)
{
	for (unsigned i = 0; i < w->plan.n_backends; i++) {
		struct backend_spec *b = &w->plan.backends[service][i];

		*b = (struct backend_spec){
			.addr = {w->hosts[w->plan.n_clients + i].addr,
				 htons(9001)},
			.params.weight = maybe(w, 10) && i ? 0 : 1 + roll(w, 3),
			.params.backup = i && maybe(w, 5),
			.n_sources = n_sources,
		};
		b->sources[0] = frame_addr("198.18.0.1");
		b->sources[1] = frame_addr("198.18.0.2");
	}
	for (unsigned i = w->plan.n_backends; i < PLAN_SLOTS; i++)
		w->plan.backends[service][i].unused = true;
}

static void plan_hosts(struct world *w)
{
	w->plan.n_clients = 1 + roll(w, PLAN_CLIENTS);
	w->plan.n_backends = 1 + roll(w, PLAN_BACKENDS);
	w->n_hosts = w->plan.n_clients + w->plan.n_backends;
	for (unsigned i = 0; i < w->n_hosts; i++) {
		bool client = i < w->plan.n_clients;
		char addr[16];

		snprintf(addr, sizeof(addr), "198.18.%d.%u", client,
			 11 + (client ? i : i - w->plan.n_clients));
		w->hosts[i] = (struct host){
			.addr = frame_addr(addr),
			.client = client,
			.secret = (uint32_t)random_next(&w->random),
		};
	}
}

static void plan_engine(struct world *w)
{
	struct engine_spec *s = &w->plan.spec;
	unsigned n_sources = 1 + roll(w, PLAN_SOURCES);

	unsigned n_watchers = maybe(w, 10) ? PLAN_WATCHERS : 2 + roll(w, 8);

	w->plan.tiny = maybe(w, 3);
	w->plan.n_services = 1 + roll(w, PLAN_SERVICES);
	*s = (struct engine_spec){
		.n_services = PLAN_ALL,
		.services = w->plan.services,
		.ports = w->plan.ports,
		.n_ports = w->plan.tiny ? 2 + roll(w, 20) : PLAN_PORTS,
		.n_flows = w->plan.tiny ? 4 + roll(w, 40) : 96,
		.probe_lo = PLAN_PROBE_LO,
	};
	for (unsigned i = 0; i < PLAN_PORTS; i++)
		w->plan.ports[i] = (uint16_t)(PLAN_PORT_LO + i);
	for (unsigned i = 0; i < PLAN_ALL; i++)
		w->plan.services[i].unused = true;
	for (unsigned i = 0; i < w->plan.n_services; i++) {
		w->plan.slots[i] = (int)i;
		w->plan.listens[i] =
			frame_endpoint("198.18.0.1", (uint16_t)(20000 + i));
	}
	for (unsigned i = 0; i < w->plan.n_services + n_watchers; i++) {
		if (i < w->plan.n_services)
			plan_service(w, i);
		else
			plan_watcher(w, i);
		plan_backends(w, i, n_sources);
	}
	plan_timeouts(w, &w->plan.timeouts);
	s->timeouts = w->plan.timeouts;
}

void plan_make(struct world *w)
{
	struct plan *p = &w->plan;

	plan_hosts(w);
	plan_link(w, &p->front);
	plan_link(w, &p->back);
	plan_engine(w);
	p->client_ports = maybe(w, 2) ? 3 + roll(w, 5) : 1000;
	p->rough_ns = roll_ns(w, 5 * SEC, 40 * SEC);
	p->connect_ns = roll_ns(w, 100 * MS, 2 * SEC);
	p->fault_ns = maybe(w, 2) ? 0 : roll_ns(w, SEC, 10 * SEC);
	p->attack_ns = maybe(w, 2) ? 0 : roll_ns(w, 5 * MS, 500 * MS);
	p->idle_permille = maybe(w, 3) ? 20 : 0;
	p->idle_ns = maybe(w, 3) ? 2 * p->timeouts.established * SEC : 20 * SEC;
	p->aborts = maybe(w, 2);
	p->restarts = maybe(w, 2);
	p->reconfigures = maybe(w, 3);
	p->jumps = maybe(w, 6);
	p->floods = maybe(w, 4);
	p->noise = maybe(w, 3);
	p->partial = maybe(w, 4);
	p->fast_open = maybe(w, 4);
	p->unreachable = maybe(w, 2);
	p->narrow_mtu = maybe(w, 4) ? (uint16_t)(200 + roll(w, 1200)) : 0;
	p->overload = p->floods && maybe(w, 2);
	p->cuts = maybe(w, 3);
	p->change_ns = maybe(w, 2) ? 0 : roll_ns(w, 50 * MS, 3 * SEC);
	p->time_wait_ns = maybe(w, 2) ? SEC : roll_ns(w, SEC, 60 * SEC);
}
