/* SPDX-License-Identifier: MIT */
/*
 * wishes.c - what the administrator wants of backends and services while they
 * have flows: drain, disable, enable, other parameters
 */
#include <arpa/inet.h>

#include "core/change.h"
#include "rig.h"
#include "rules.h"
#include "unit.h"

#define ORIG  FLOW_ORIG
#define REPLY FLOW_REPLY
#define S     RIG_S
#define MS    (RIG_S / 1000)

static unsigned events[BACKEND_HEARD + 1];

static void note(void *arg, enum backend_event event, unsigned service,
		 unsigned backend, enum check_result why)
{
	(void)arg;
	(void)service;
	(void)backend;
	(void)why;
	events[event]++;
}

static struct rig *unchecked(unsigned n)
{
	struct rig *r = rig_new(n);

	memset(events, 0, sizeof(events));
	r->setup.spec.n_ports = RIG_PORTS_MAX;
	r->setup.spec.on_backend = note;
	r->setup.spec.on_flow = NULL;
	return r;
}

static struct rig *checked(unsigned n)
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
static unsigned probes(struct rig *r, int mute, uint64_t ns)
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

static void set(struct rig *r, unsigned backend, struct backend_params params)
{
	engine_set_backend(r->e, 0, backend, &params, r->now);
}

static void want(struct rig *r, unsigned backend, enum admin admin,
		 enum leave then)
{
	set(r, backend,
	    (struct backend_params){.weight = 1, .admin = admin, .then = then});
}

static void set_service(struct rig *r, const struct service_params *p)
{
	engine_set_service(r->e, 0, p, r->now);
}

static void add(struct rig *r, unsigned backend)
{
	struct err err = {""};

	ck_assert_int_eq(engine_prepare_backend(r->e, 0, backend,
						&r->setup.backends[0][backend],
						r->now, &err),
			 0);
	engine_enter_backend(r->e, 0, backend, r->now);
}

/* How many of @n connections, from client @from on, go to @backend. */
static unsigned share(struct rig *r, unsigned backend, unsigned from,
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
static struct conn conn_of(struct rig *r, unsigned backend, unsigned from)
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

/* ------------------------------------------------------------------- drain */

/* @_i: by weight 0, or by what is said. */
START_TEST(one_that_drains_has_its_time_and_is_reset_then)
{
	struct rig *r = unchecked(2);
	struct conn c;

	r->setup.services[0].params.drain_timeout_s = 30;
	rig_start(r);
	c = conn_of(r, 1, 0);
	set(r, 1,
	    (struct backend_params){.weight = (uint32_t)_i,
				    .admin = _i ? ADMIN_DRAIN : ADMIN_ENABLED});
	ck_assert_uint_eq(share(r, 1, 10, 6), 0);
	rig_wait(r, 29 * S);
	ck_assert_int_eq(conn_state(r, &c), TCP_ESTABLISHED);
	rig_wait(r, 2 * S);
	ck_assert_int_eq(conn_state(r, &c), TCP_RESET);
	ck_assert_uint_eq(events[BACKEND_DRAINED], 1);
	rig_done(r);
}
END_TEST

START_TEST(a_drain_may_have_a_time_of_its_own)
{
	struct rig *r = unchecked(2);
	struct conn c;

	r->setup.services[0].params.drain_timeout_s = 30;
	rig_start(r);
	c = conn_of(r, 1, 0);
	set(r, 1,
	    (struct backend_params){
		    .weight = 1, .admin = ADMIN_DRAIN, .drain_s = 60});
	rig_wait(r, 50 * S);
	/* Said again it is the same drain; but with another time a new one. */
	set(r, 1,
	    (struct backend_params){
		    .weight = 3, .admin = ADMIN_DRAIN, .drain_s = 60});
	rig_wait(r, 9 * S);
	ck_assert_int_eq(conn_state(r, &c), TCP_ESTABLISHED);
	set(r, 1,
	    (struct backend_params){
		    .weight = 1, .admin = ADMIN_DRAIN, .drain_s = 20});
	rig_wait(r, 19 * S);
	ck_assert_int_eq(conn_state(r, &c), TCP_ESTABLISHED);
	rig_wait(r, 2 * S);
	ck_assert_int_eq(conn_state(r, &c), TCP_RESET);
	rig_done(r);
}
END_TEST

START_TEST(a_drain_that_keeps_has_no_end)
{
	struct rig *r = unchecked(2);
	struct conn c;

	r->setup.services[0].params.drain_timeout_s = 30;
	rig_start(r);
	c = conn_of(r, 1, 0);
	want(r, 1, ADMIN_DRAIN, LEAVE_KEEP);
	rig_wait(r, 100 * S);
	ck_assert_int_eq(conn_state(r, &c), TCP_ESTABLISHED);
	ck_assert_uint_eq(share(r, 1, 10, 6), 0);
	rig_done(r);
}
END_TEST

START_TEST(the_time_to_drain_may_change_meanwhile)
{
	struct service_params params;
	struct rig *r = unchecked(2);
	struct conn c;

	rig_start(r);
	params = r->setup.services[0].params;
	c = conn_of(r, 1, 0);
	want(r, 1, ADMIN_DRAIN, LEAVE_ON_DOWN);
	rig_wait(r, 100 * S);
	ck_assert_int_eq(conn_state(r, &c), TCP_ESTABLISHED);
	params.drain_timeout_s = 110;
	set_service(r, &params);
	rig_wait(r, 9 * S);
	ck_assert_int_eq(conn_state(r, &c), TCP_ESTABLISHED);
	rig_wait(r, 2 * S);
	ck_assert_int_eq(conn_state(r, &c), TCP_RESET);
	rig_done(r);
}
END_TEST

START_TEST(a_drain_that_is_taken_back_ends)
{
	struct rig *r = unchecked(2);
	struct conn c;

	r->setup.services[0].params.drain_timeout_s = 30;
	rig_start(r);
	c = conn_of(r, 1, 0);
	want(r, 1, ADMIN_DRAIN, LEAVE_ON_DOWN);
	rig_wait(r, 20 * S);
	want(r, 1, ADMIN_ENABLED, LEAVE_ON_DOWN);
	rig_wait(r, 60 * S);
	ck_assert_int_eq(conn_state(r, &c), TCP_ESTABLISHED);
	ck_assert_uint_eq(share(r, 1, 10, 6), 3);
	rig_done(r);
}
END_TEST

/* ------------------------------------------------------- disable and enable */

START_TEST(one_that_is_disabled_loses_its_flows_at_once)
{
	static const struct {
		enum leave then;
		bool keep_on_down, reset;
	} ways[] = {
		{LEAVE_ON_DOWN, false, true}, {LEAVE_ON_DOWN, true, false},
		{LEAVE_RESET, true, true},    {LEAVE_KEEP, false, false},
		{LEAVE_DRAIN, false, false},
	};

	for (unsigned i = 0; i < ARRAY_LEN(ways); i++) {
		struct rig *r = unchecked(2);
		struct conn c;

		r->setup.services[0].params.keep_on_down = ways[i].keep_on_down;
		rig_start(r);
		c = conn_of(r, 1, 0);
		want(r, 1, ADMIN_DISABLED, ways[i].then);
		rig_wait(r, S);
		ck_assert_int_eq(conn_state(r, &c) == TCP_RESET, ways[i].reset);
		ck_assert_uint_eq(share(r, 1, 10, 6), 0);
		want(r, 1, ADMIN_ENABLED, ways[i].then);
		ck_assert_uint_eq(share(r, 1, 20, 6), 3);
		rig_done(r);
	}
}
END_TEST

START_TEST(one_that_is_disabled_is_not_checked)
{
	struct rig *r = checked(3);

	rig_start(r);
	probes(r, -1, 2 * S);
	want(r, 1, ADMIN_DISABLED, LEAVE_ON_DOWN);
	ck_assert_uint_eq(probes(r, 1, 5 * S), 0);
	ck_assert_uint_eq(events[BACKEND_DOWN], 0);
	rig_done(r);
}
END_TEST

/* As a newcomer: perhaps it is not started yet. */
START_TEST(one_that_is_enabled_proves_itself_and_starts_slowly)
{
	struct rig *r = checked(2);

	rig_start(r);
	want(r, 1, ADMIN_DISABLED, LEAVE_ON_DOWN);
	probes(r, -1, 2 * S);
	want(r, 1, ADMIN_ENABLED, LEAVE_ON_DOWN);
	ck_assert_uint_eq(share(r, 1, 0, 6), 0);
	probes(r, -1, S);
	ck_assert_uint_eq(events[BACKEND_PROVEN], 1);
	ck_assert_uint_le(share(r, 1, 10, 20), 3);
	probes(r, -1, 12 * S);
	ck_assert_uint_eq(share(r, 1, 40, 20), 10);
	rig_done(r);
}
END_TEST

START_TEST(after_a_drain_slow_start_applies)
{
	struct rig *r = checked(2);

	rig_start(r);
	want(r, 1, ADMIN_DRAIN, LEAVE_ON_DOWN);
	probes(r, -1, 2 * S);
	want(r, 1, ADMIN_ENABLED, LEAVE_ON_DOWN);
	ck_assert_uint_le(share(r, 1, 0, 20), 2);
	probes(r, -1, 12 * S);
	ck_assert_uint_eq(share(r, 1, 40, 20), 10);
	rig_done(r);
}
END_TEST

START_TEST(a_result_from_before_is_void)
{
	struct rig *r = checked(2);
	struct probe_request p[8], again;
	unsigned n = 0;

	rig_start(r);
	while (n < 2) {
		r->now += 50 * MS;
		engine_tick(r->e, r->now, 64);
		while (engine_next_probe(r->e, &p[n]))
			n++;
	}
	want(r, 0, ADMIN_DISABLED, LEAVE_KEEP);
	want(r, 0, ADMIN_ENABLED, LEAVE_KEEP);
	for (unsigned i = 0; i < n; i++)
		engine_probe_result(r->e, p[i].service, p[i].backend,
				    p[i].number, CHECK_OK, r->now);
	ck_assert(!rig_backend(r, 0)->proven);
	/* One that waits to be carried out is not carried out any more. */
	while (!rig_backend(r, 0)->health.probing) {
		r->now += 50 * MS;
		engine_tick(r->e, r->now, 64);
	}
	want(r, 0, ADMIN_DISABLED, LEAVE_KEEP);
	while (engine_next_probe(r->e, &again))
		ck_assert_uint_ne(again.backend, 0);
	rig_done(r);
}
END_TEST

/* --------------------------------------------------------------- newcomers */

START_TEST(a_newcomer_takes_no_flows_until_a_check_passes)
{
	struct rig *r = checked(2);

	rig_start(r);
	probes(r, -1, S);
	add(r, 2);
	ck_assert_uint_eq(share(r, 2, 0, 9), 0);
	probes(r, 2, 5 * S); /* it refuses */
	ck_assert_uint_eq(share(r, 2, 10, 9), 0);
	ck_assert_uint_eq(events[BACKEND_PROVEN], 0);
	probes(r, -1, 15 * S);
	ck_assert_uint_eq(share(r, 2, 20, 9), 3);
	rig_done(r);
}
END_TEST

START_TEST(a_newcomer_that_passes_starts_slowly)
{
	struct rig *r = checked(1);

	rig_start(r);
	probes(r, -1, S);
	add(r, 1);
	probes(r, -1, 500 * MS);
	ck_assert_uint_eq(events[BACKEND_PROVEN], 1);
	ck_assert_uint_le(share(r, 1, 0, 20), 2);
	probes(r, -1, 12 * S);
	ck_assert_uint_eq(share(r, 1, 40, 20), 10);
	rig_done(r);
}
END_TEST

/* Without checks, without others, or together with its service. */
START_TEST(a_newcomer_that_cannot_wait_takes_flows_at_once)
{
	struct rig *r = unchecked(1);
	struct service_spec spec;
	struct err err = {""};

	rig_start(r);
	add(r, 1);
	ck_assert_uint_eq(share(r, 1, 0, 8), 4);
	rig_done(r);

	r = checked(1);
	rig_start(r);
	want(r, 0, ADMIN_DRAIN, LEAVE_KEEP);
	add(r, 1);
	ck_assert_uint_eq(share(r, 1, 0, 4), 4);
	spec = r->setup.services[0];
	spec.listen.port = htons(20001);
	ck_assert_int_eq(engine_prepare_service(r->e, 1, &spec, r->now, &err),
			 0);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(engine_prepare_backend(
					 r->e, 1, i, &r->setup.backends[0][i],
					 r->now, &err),
				 0);
	engine_enter_service(r->e, 1, r->now);
	for (unsigned i = 0; i < 3; i++) {
		engine_enter_backend(r->e, 1, i, r->now);
		ck_assert(inside_backend(r->e, 1, i)->proven);
	}
	rig_done(r);
}
END_TEST

/* @_i: how the last other one ceases to take flows. */
START_TEST(a_newcomer_serves_when_nobody_else_does)
{
	struct rig *r = checked(1);
	struct backend_params drain = {.weight = 0};

	rig_start(r);
	probes(r, -1, S);
	add(r, 1);
	ck_assert_uint_eq(share(r, 1, 0, 4), 0);
	switch (_i) {
	case 0: set(r, 0, drain); break;
	case 1: want(r, 0, ADMIN_DISABLED, LEAVE_KEEP); break;
	case 2: engine_leave_backend(r->e, 0, 0, LEAVE_KEEP, r->now); break;
	default:
		for (int i = 0; i < 10 && rig_backend(r, 0)->up; i++) {
			struct probe_request p;

			r->now += 210 * MS;
			engine_tick(r->e, r->now, 64);
			while (engine_next_probe(r->e, &p))
				if (p.backend == 0)
					engine_probe_result(
						r->e, 0, 0, p.number,
						CHECK_REFUSED, r->now);
		}
		ck_assert(!rig_backend(r, 0)->up);
		break;
	}
	ck_assert_uint_eq(share(r, 1, 10, 4), 4);
	rig_done(r);
}
END_TEST

/* ------------------------------------------------- parameters of a service */

START_TEST(another_check_voids_the_running_one_and_nobody_goes_down)
{
	struct rig *r = checked(2);
	struct service_params params;
	struct probe_request p;
	uint32_t number = 0;

	rig_start(r);
	probes(r, 1, 3 * S);
	ck_assert(!rig_backend(r, 1)->up);
	while (number == 0) {
		r->now += 50 * MS;
		engine_tick(r->e, r->now, 64);
		while (engine_next_probe(r->e, &p))
			if (p.backend == 0)
				number = p.number;
	}
	params = inside_service(r->e, 0)->params;
	params.check.kind = CHECK_HTTP;
	strcpy(params.check.text, "/health");
	params.health.fall = 1;
	set_service(r, &params);
	engine_probe_result(r->e, 0, 0, number, CHECK_REFUSED, r->now);
	ck_assert(rig_backend(r, 0)->up);
	ck_assert(!rig_backend(r, 1)->up);
	for (number = 0; number == 0;) {
		r->now += 50 * MS;
		engine_tick(r->e, r->now, 64);
		while (engine_next_probe(r->e, &p))
			if (p.backend == 0)
				number = p.number;
	}
	ck_assert_int_eq(p.check.kind, CHECK_HTTP);
	engine_probe_result(r->e, 0, 0, number, CHECK_REFUSED, r->now);
	ck_assert(!rig_backend(r, 0)->up); /* by fall = 1 */
	rig_done(r);
}
END_TEST

START_TEST(without_a_check_nobody_stays_down)
{
	struct rig *r = checked(2);
	struct service_params params;

	rig_start(r);
	probes(r, 1, 3 * S);
	ck_assert(!rig_backend(r, 1)->up);
	params = inside_service(r->e, 0)->params;
	params.checked = false;
	set_service(r, &params);
	ck_assert_uint_eq(share(r, 1, 0, 8), 4);
	ck_assert_uint_eq(probes(r, 1, 3 * S), 0);
	params.checked = true;
	set_service(r, &params);
	ck_assert_uint_gt(probes(r, 1, 3 * S), 0);
	ck_assert(!rig_backend(r, 1)->up);
	rig_done(r);
}
END_TEST

/* By the next round, whatever was owed by the scheduler before. */
START_TEST(another_scheduler_begins_anew)
{
	struct rig *r = unchecked(2);
	struct service_params params;

	r->setup.backends[0][0].params.weight = 3;
	rig_start(r);
	params = r->setup.services[0].params;
	share(r, 0, 0, 3);
	params.scheduler = SCHED_WRR;
	set_service(r, &params);
	ck_assert_uint_eq(share(r, 0, 10, 8), 6);
	share(r, 0, 20, 1);
	set(r, 1, (struct backend_params){.weight = 3});
	ck_assert_uint_eq(share(r, 0, 30, 8), 4);
	rig_done(r);
}
END_TEST

START_TEST(fewer_half_open_flows_are_reached_while_new_ones_come)
{
	struct rig *r = unchecked(1);
	struct service_params params;

	rig_start(r);
	for (unsigned i = 0; i < 20; i++) {
		struct conn c = conn_make(r, i);

		conn_receive_syn(r, &c);
	}
	params = r->setup.services[0].params;
	params.half_open_max = 4;
	set_service(r, &params);
	ck_assert_uint_eq(inside_service(r->e, 0)->half_open, 20);
	for (unsigned i = 20; i < 40; i++) {
		struct conn c = conn_make(r, i);

		conn_receive_syn(r, &c);
		rig_drain(r);
	}
	ck_assert_uint_eq(inside_service(r->e, 0)->half_open, 4);
	rig_done(r);
}
END_TEST

START_TEST(a_breaker_that_is_switched_off_closes)
{
	struct rig *r = rig_ejecting(2);
	struct service_params params;

	for (unsigned i = 0; i < 8 && rig_ejected(r) == 0; i++) {
		struct conn c = conn_make(r, i);

		r->now += 100 * MS;
		conn_syn(r, &c);
		if (same(c.backend, rig_backend(r, 0)->addr))
			conn_refuse(r, &c);
		rig_drain(r);
		conn_refresh(r, &c);
		conn_finish(r, &c);
	}
	ck_assert_uint_eq(rig_ejected(r), 1);
	params = inside_service(r->e, 0)->params;
	params.breaker.failures = 0;
	params.breaker.trials = 0;
	set_service(r, &params);
	ck_assert_uint_eq(rig_ejected(r), 0);
	rig_done(r);
}
END_TEST

/* @_i: whether connections of a dead backend are to end. */
START_TEST(what_happens_on_down_may_change_while_one_is_down)
{
	struct rig *r = checked(2);
	struct service_params params;
	struct conn c;

	r->setup.services[0].params.keep_on_down = _i;
	rig_start(r);
	c = conn_of(r, 1, 0);
	/* Silent: its connections would end, a few in each tick. */
	for (int i = 0; i < 200 && rig_backend(r, 1)->up; i++) {
		struct probe_request p;

		r->now += 50 * MS;
		inside_set_sweep(r->e, 0, 0);
		while (engine_next_probe(r->e, &p))
			engine_probe_result(r->e, 0, p.backend, p.number,
					    p.backend ? CHECK_CLOSED : CHECK_OK,
					    r->now);
		if (rig_backend(r, 1)->up)
			engine_tick(r->e, r->now, 64);
	}
	ck_assert(!rig_backend(r, 1)->up);
	ck_assert_int_eq(conn_state(r, &c), TCP_ESTABLISHED);
	params = inside_service(r->e, 0)->params;
	params.keep_on_down = !_i;
	set_service(r, &params);
	engine_tick(r->e, r->now, 64);
	ck_assert_int_eq(conn_state(r, &c), _i ? TCP_RESET : TCP_ESTABLISHED);
	rig_done(r);
}
END_TEST

START_TEST(retries_stay_within_what_there_is_room_for)
{
	struct rig *r = unchecked(1);
	struct service_params params;

	rig_start(r);
	params = r->setup.services[0].params;
	params.retries = 1000;
	set_service(r, &params);
	ck_assert_uint_eq(inside_service(r->e, 0)->params.retries,
			  HANDSHAKE_RETRIES_MAX);
	rig_done(r);
}
END_TEST

/* ---------------------------------------------------------------- timeouts */

START_TEST(shorter_timeouts_hold_for_existing_flows_at_once)
{
	struct rig *r = unchecked(1);
	struct engine_timeouts t = ENGINE_TIMEOUTS_DEFAULT;
	struct conn c;

	rig_start(r);
	c = conn_of(r, 0, 0);
	rig_wait(r, 60 * S);
	t.established = 70;
	engine_set_timeouts(r->e, &t, r->now);
	rig_wait(r, 9 * S);
	ck_assert_int_eq(conn_state(r, &c), TCP_ESTABLISHED);
	rig_wait(r, 2 * S);
	ck_assert_int_eq(conn_state(r, &c), TCP_RESET);
	rig_done(r);
}
END_TEST

START_TEST(longer_timeouts_hold_for_existing_flows)
{
	struct rig *r = unchecked(1);
	struct engine_timeouts t = ENGINE_TIMEOUTS_DEFAULT;
	struct conn c;

	r->setup.spec.timeouts.established = 70;
	rig_start(r);
	c = conn_of(r, 0, 0);
	rig_wait(r, 60 * S);
	engine_set_timeouts(r->e, &t, r->now);
	rig_wait(r, 1000 * S);
	ck_assert_int_eq(conn_state(r, &c), TCP_ESTABLISHED);
	rig_done(r);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{one_that_drains_has_its_time_and_is_reset_then, 2},
		{a_drain_may_have_a_time_of_its_own, 0},
		{a_drain_that_keeps_has_no_end, 0},
		{the_time_to_drain_may_change_meanwhile, 0},
		{a_drain_that_is_taken_back_ends, 0},
		{one_that_is_disabled_loses_its_flows_at_once, 0},
		{one_that_is_disabled_is_not_checked, 0},
		{one_that_is_enabled_proves_itself_and_starts_slowly, 0},
		{after_a_drain_slow_start_applies, 0},
		{a_result_from_before_is_void, 0},
		{a_newcomer_takes_no_flows_until_a_check_passes, 0},
		{a_newcomer_that_passes_starts_slowly, 0},
		{a_newcomer_that_cannot_wait_takes_flows_at_once, 0},
		{a_newcomer_serves_when_nobody_else_does, 4},
		{another_check_voids_the_running_one_and_nobody_goes_down, 0},
		{without_a_check_nobody_stays_down, 0},
		{another_scheduler_begins_anew, 0},
		{fewer_half_open_flows_are_reached_while_new_ones_come, 0},
		{a_breaker_that_is_switched_off_closes, 0},
		{what_happens_on_down_may_change_while_one_is_down, 2},
		{retries_stay_within_what_there_is_room_for, 0},
		{shorter_timeouts_hold_for_existing_flows_at_once, 0},
		{longer_timeouts_hold_for_existing_flows, 0},
	};

	return unit_run("wishes", tests, ARRAY_LEN(tests));
}
