/* SPDX-License-Identifier: MIT */
/*
 * wishes.h - what wishes.c and settings.c need: engines with and without
 * checks, and who gets which connections
 */
#ifndef L4LB_WISHES_H
#define L4LB_WISHES_H

#include "core/change.h"
#include "rig.h"
#include "unit.h"

#define ORIG  FLOW_ORIG
#define REPLY FLOW_REPLY
#define S     RIG_S
#define MS    (RIG_S / 1000)

static unsigned events[BACKEND_HEARD + 1];

static inline void note(void *arg, enum backend_event event, unsigned service,
			unsigned backend, enum check_result why)
{
	(void)arg;
	(void)service;
	(void)backend;
	(void)why;
	events[event]++;
}

static inline struct rig *unchecked(unsigned n)
{
	struct rig *r = rig_new(n);

	memset(events, 0, sizeof(events));
	r->setup.spec.n_ports = RIG_PORTS_MAX;
	r->setup.spec.on_backend = note;
	r->setup.spec.on_flow = NULL;
	return r;
}

static inline struct rig *checked(unsigned n)
{
	struct rig *r = unchecked(n);
	struct service_params *p = &r->setup.services[0].params;

	p->checked = true;
	p->check.kind = CHECK_TCP;
	p->health = (struct health_params)HEALTH_PARAMS_DEFAULT;
	p->health.slow_start_ms = 10000;
	p->scheduler = SCHED_WRR;
	return r;
}

/* Answers the checks of the next @ns, but not those of @mute. */
static inline unsigned probes(struct rig *r, int mute, uint64_t ns)
{
	unsigned asked = 0;

	for (uint64_t t = 0; t < ns; t += 50 * MS) {
		struct probe_request p;

		r->now += 50 * MS;
		engine_tick(r->e, r->now, 64);
		while (engine_next_probe(r->e, &p)) {
			asked += (int)p.backend == mute;
			engine_probe_result(
				r->e, p.service, p.backend, p.number,
				(int)p.backend == mute ? CHECK_REFUSED
						       : CHECK_OK,
				r->now);
		}
	}
	return asked;
}

static inline void set(struct rig *r, unsigned backend,
		       struct backend_params params)
{
	engine_set_backend(r->e, 0, backend, &params, r->now);
}

static inline void want(struct rig *r, unsigned backend, enum admin admin,
			enum leave then)
{
	set(r, backend,
	    (struct backend_params){.weight = 1, .admin = admin, .then = then});
}

static inline void set_service(struct rig *r, const struct service_params *p)
{
	engine_set_service(r->e, 0, p, r->now);
}

static inline void add(struct rig *r, unsigned backend)
{
	struct err err = {""};

	ck_assert_int_eq(engine_prepare_backend(r->e, 0, backend,
						&r->setup.backends[0][backend],
						r->now, &err),
			 0);
	engine_enter_backend(r->e, 0, backend, r->now);
}

/* How many of @n connections, from client @from on, go to @backend. */
static inline unsigned share(struct rig *r, unsigned backend, unsigned from,
			     unsigned n)
{
	const struct endpoint addr = rig_backend(r, backend)->addr;
	unsigned got = 0;

	for (unsigned i = 0; i < n; i++) {
		struct conn c = conn_make(r, from + i);

		conn_establish(r, &c);
		got += endpoint_equal(&c.backend, &addr);
		conn_close(r, &c);
	}
	return got;
}

/* An established connection of @backend; the first client is @from. */
static inline struct conn conn_of(struct rig *r, unsigned backend,
				  unsigned from)
{
	for (unsigned i = 0; i < 8; i++) {
		struct conn c = conn_make(r, from + i);

		conn_establish(r, &c);
		if (endpoint_equal(&c.backend, &rig_backend(r, backend)->addr))
			return c;
	}
	ck_abort_msg("backend %u gets no connection", backend);
	return conn_make(r, 0);
}

#endif
