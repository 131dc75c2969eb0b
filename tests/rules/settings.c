/* SPDX-License-Identifier: MIT */
/*
 * settings.c - other parameters for a service that has flows, other timeouts
 */
#include <string.h>

#include "wishes.h"

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

/* Of a thousand commits in a row, each would look at 256 backends. */
START_TEST(many_changes_reach_the_scheduler_once)
{
	struct rig *r = unchecked(3);
	uint64_t before;

	r->setup.services[0].params.scheduler = SCHED_MAGLEV;
	rig_start(r);
	before = inside_service(r->e, 0)->sched.members;
	engine_begin_changes(r->e);
	for (unsigned i = 0; i < 3; i++)
		set(r, i, (struct backend_params){.weight = i});
	ck_assert_uint_eq(inside_service(r->e, 0)->sched.members, before);
	engine_end_changes(r->e);
	ck_assert_uint_ne(inside_service(r->e, 0)->sched.members, before);
	before = inside_service(r->e, 0)->sched.members;
	set(r, 2, (struct backend_params){.weight = 3});
	ck_assert_uint_ne(inside_service(r->e, 0)->sched.members, before);
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
		{another_check_voids_the_running_one_and_nobody_goes_down, 0},
		{without_a_check_nobody_stays_down, 0},
		{another_scheduler_begins_anew, 0},
		{many_changes_reach_the_scheduler_once, 0},
		{fewer_half_open_flows_are_reached_while_new_ones_come, 0},
		{a_breaker_that_is_switched_off_closes, 0},
		{what_happens_on_down_may_change_while_one_is_down, 2},
		{retries_stay_within_what_there_is_room_for, 0},
		{shorter_timeouts_hold_for_existing_flows_at_once, 0},
		{longer_timeouts_hold_for_existing_flows, 0},
	};

	return unit_run("settings", tests, ARRAY_LEN(tests));
}
