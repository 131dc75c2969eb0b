/* SPDX-License-Identifier: MIT */
/*
 * changer.c - an administrator who changes the balancer while it runs
 *
 * Each change is made in the plan, which is what is configured, and in the
 * engine, if one runs. A process that starts is given the plan.
 */
#include "changer.h"

#include <arpa/inet.h>

#include "core/change.h"
#include "world.h"

static enum leave roll_leave(struct world *w)
{
	return (enum leave)roll(w, LEAVE_KEEP + 1);
}

static struct engine *engine_of(const struct world *w)
{
	return w->now < w->lb.frozen_until ? NULL : w->lb.e;
}

/* The slot of a service that clients know; -1: it is not there now. */
static int roll_service(struct world *w)
{
	return w->plan.slots[roll(w, w->plan.n_services)];
}

/* ---------------------------------------------------------------- backends */

static void roll_params(struct world *w, struct backend_params *p)
{
	*p = (struct backend_params){
		.weight = roll(w, 8) ? 1 + roll(w, 4) : 0,
		.backup = roll(w, 6) == 0,
		.admin = roll(w, 3) ? ADMIN_ENABLED
				    : (enum admin)roll(w, ADMIN_DISABLED + 1),
		.drain_s = roll(w, 2) ? 0 : 1 + roll(w, 20),
		.then = roll_leave(w),
	};
}

static bool prepare_backend(struct world *w, unsigned s, unsigned k)
{
	struct backend_spec *b = &w->plan.backends[s][k];
	struct err err;

	*b = (struct backend_spec){
		.addr = {w->hosts[w->plan.n_clients +
				  roll(w, w->plan.n_backends)]
				 .addr,
			 htons(9001)},
		.params.weight = 1 + roll(w, 3),
		.params.backup = roll(w, 6) == 0,
		.n_sources = 1 + roll(w, PLAN_SOURCES),
	};
	b->sources[0] = frame_addr("198.18.0.1");
	b->sources[1] = frame_addr("198.18.0.2");
	if (!w->lb.e ||
	    !engine_prepare_backend(w->lb.e, s, k, b, balancer_now(w), &err))
		return true;
	world_break(w, "a free slot takes a backend: %s", err.text);
	return false;
}

static void add_backend(struct world *w, unsigned s)
{
	unsigned k = 0;

	while (k < PLAN_SLOTS && !w->plan.backends[s][k].unused)
		k++;
	if (k == PLAN_SLOTS || !prepare_backend(w, s, k))
		return;
	if (w->lb.e && roll(w, 4) == 0) {
		engine_undo_backend(w->lb.e, s, k);
		w->plan.backends[s][k].unused = true;
		return;
	}
	world_trace(w, "backend %u of service %u is added", k, s);
	if (w->lb.e)
		engine_enter_backend(w->lb.e, s, k, balancer_now(w));
}

static void remove_backend(struct world *w, unsigned s, unsigned k)
{
	struct backend_spec *b = &w->plan.backends[s][k];

	if (b->unused || b->gone)
		return;
	b->gone = true;
	b->params.then = roll_leave(w);
	world_trace(w, "backend %u of service %u leaves", k, s);
	if (w->lb.e)
		engine_leave_backend(w->lb.e, s, k, b->params.then,
				     balancer_now(w));
}

static void set_backend(struct world *w, unsigned s, unsigned k,
			const struct backend_params *params)
{
	struct backend_spec *b = &w->plan.backends[s][k];

	if (b->unused || b->gone)
		return;
	b->params = *params;
	world_trace(w, "backend %u of service %u: weight %u, %s", k, s,
		    params->weight,
		    params->admin == ADMIN_ENABLED ? "enabled"
		    : params->admin == ADMIN_DRAIN ? "drains"
						   : "disabled");
	if (w->lb.e)
		engine_set_backend(w->lb.e, s, k, params, balancer_now(w));
}

/* ---------------------------------------------------------------- services */

static void set_service(struct world *w, unsigned s)
{
	struct service_params *p = &w->plan.services[s].params;

	switch (roll(w, 6)) {
	case 0: p->scheduler = (enum sched_kind)roll(w, SCHED_KINDS); break;
	case 1: p->retries = roll(w, 4); break;
	case 2: p->keep_on_down = roll(w, 2); break;
	case 3: p->drain_timeout_s = roll(w, 20); break;
	case 4: p->half_open_max = roll(w, 3) ? 0 : 4 + roll(w, 20); break;
	default:
		p->checked = roll(w, 4);
		p->check.kind = roll(w, 2) ? CHECK_TCP : CHECK_SYN;
		p->health.slow_start_ms = roll(w, 3) ? 0 : 3000;
		p->breaker = (struct breaker_params)BREAKER_PARAMS_DEFAULT;
		p->breaker.open_max_ms = 5000;
		p->breaker.failures = roll(w, 2) ? 3 : 0;
		break;
	}
	world_trace(w, "service %u has other parameters", s);
	if (w->lb.e)
		engine_set_service(w->lb.e, s, p, balancer_now(w));
}

static void remove_service(struct world *w, unsigned which)
{
	const unsigned s = (unsigned)w->plan.slots[which];
	const enum leave then = roll_leave(w);

	world_trace(w, "service %u leaves", s);
	w->plan.slots[which] = -1;
	w->plan.leaving[s] = true;
	for (unsigned k = 0; k < PLAN_SLOTS; k++) {
		struct backend_spec *b = &w->plan.backends[s][k];

		if (b->unused || b->gone)
			continue;
		b->gone = true;
		b->params.then = then;
	}
	if (w->lb.e)
		engine_leave_service(w->lb.e, s, then, balancer_now(w));
}

/* Perhaps while one of its address leaves. False: there is no slot. */
static bool add_service(struct world *w, unsigned which)
{
	unsigned s = 0, n = 1 + roll(w, PLAN_SLOTS - 2);
	struct err err;

	while (s < PLAN_ALL && !w->plan.services[s].unused)
		s++;
	if (s == PLAN_ALL)
		return false;
	w->plan.services[s] = w->plan.services[which];
	w->plan.services[s].unused = false;
	w->plan.services[s].listen = w->plan.listens[which];
	w->plan.services[s].backends = w->plan.backends[s];
	if (w->lb.e && engine_prepare_service(w->lb.e, s, &w->plan.services[s],
					      balancer_now(w), &err)) {
		world_break(w, "a free slot takes a service: %s", err.text);
		return false;
	}
	for (unsigned k = 0; k < PLAN_SLOTS; k++)
		w->plan.backends[s][k].unused =
			k >= n || !prepare_backend(w, s, k);
	if (w->lb.e && roll(w, 4) == 0 && w->phase == ROUGH) {
		engine_undo_service(w->lb.e, s);
		w->plan.services[s].unused = true;
		return false;
	}
	world_trace(w, "service %u is added, with %u backends", s, n);
	w->plan.slots[which] = (int)s;
	if (!w->lb.e)
		return true;
	engine_enter_service(w->lb.e, s, balancer_now(w));
	for (unsigned k = 0; k < n; k++)
		engine_enter_backend(w->lb.e, s, k, balancer_now(w));
	return true;
}

/* A change of timeouts may end what was not to end before. */
static void set_timeouts(struct world *w)
{
	struct engine_timeouts *t = &w->plan.timeouts;

	t->syn_received = 20 + roll(w, 60);
	t->established = 60 + roll(w, 600);
	t->closing = 60 + roll(w, 240);
	t->closed = 5 + roll(w, 60);
	w->plan.spec.timeouts = *t;
	world_trace(w, "other timeouts");
	if (w->lb.e)
		engine_set_timeouts(w->lb.e, t, balancer_now(w));
}

/* Any flow that is there, if the outbox has room for its resets. */
static void kill_flow(struct world *w)
{
	const struct flow_table *t = engine_flows(w->lb.e);
	const struct flow *f = flow_next(t, roll(w, t->size));

	if (!f)
		return;
	w->lb.killed = f->id;
	world_trace(w, "flow %u is killed", flow_index(t, f));
	engine_kill_flow(w->lb.e, flow_index(t, f), f->id, balancer_now(w));
	w->lb.killed = 0;
}

/* ----------------------------------------------------------------- all this */

static void command(struct world *w)
{
	const unsigned which = roll(w, w->plan.n_services);
	const int s = roll_service(w);
	struct backend_params params;

	if (w->plan.slots[which] < 0)
		add_service(w, which);
	else if (roll(w, 12) == 0)
		remove_service(w, which);
	else if (roll(w, 10) == 0)
		set_timeouts(w);
	else if (w->lb.e && roll(w, 8) == 0)
		kill_flow(w);
	else if (s >= 0 && s == w->plan.slots[which])
		switch (roll(w, 5)) {
		case 0:
		case 1: add_backend(w, (unsigned)s); break;
		case 2:
			remove_backend(w, (unsigned)s, roll(w, PLAN_SLOTS));
			break;
		case 3: set_service(w, (unsigned)s); break;
		default:
			roll_params(w, &params);
			set_backend(w, (unsigned)s, roll(w, PLAN_SLOTS),
				    &params);
			break;
		}
}

void changer_step(struct world *w)
{
	if (w->lb.e && !engine_of(w))
		return; /* it is suspended */
	for (unsigned n = 1 + roll(w, 3); n > 0; n--)
		command(w);
	w->stats.changes++;
	if (w->lb.e)
		balancer_changed(w);
}

void changer_finish(struct world *w)
{
	unsigned s;
	int k;

	while (engine_next_left(w->lb.e, balancer_now(w), &s, &k)) {
		w->stats.freed++;
		world_trace(w, "slot %d of service %u is free", k, s);
		if (k >= 0) {
			balancer_leaves(w, s, (unsigned)k);
			engine_free_backend(w->lb.e, s, (unsigned)k);
			w->plan.backends[s][k].unused = true;
			w->plan.backends[s][k].gone = false;
			continue;
		}
		engine_free_service(w->lb.e, s);
		w->plan.services[s].unused = true;
		w->plan.leaving[s] = false;
	}
}

void changer_settle(struct world *w)
{
	for (unsigned i = 0; i < w->plan.n_services; i++) {
		unsigned n = 0;

		if (w->plan.slots[i] < 0 && !add_service(w, i))
			continue;
		for (unsigned k = 0; k < PLAN_SLOTS; k++) {
			const struct backend_spec *b =
				&w->plan.backends[w->plan.slots[i]][k];
			const struct backend_params on = {.weight = 1};

			if (b->unused || b->gone)
				continue;
			n++;
			if (roll(w, 4))
				set_backend(w, (unsigned)w->plan.slots[i], k,
					    &on);
		}
		if (n == 0)
			add_backend(w, (unsigned)w->plan.slots[i]);
	}
	if (w->lb.e)
		balancer_changed(w);
}
