/* SPDX-License-Identifier: MIT */
/*
 * wishes.c - what the administrator wants of backends while they have flows:
 * drain, disable, enable; and of those that come
 */
#include <arpa/inet.h>

#include "wishes.h"

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
	/* With another time it is a new one. */
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

START_TEST(a_drain_that_is_said_again_is_the_same)
{
	struct backend_params drain = {
		.weight = 1, .admin = ADMIN_DRAIN, .drain_s = 60};
	struct rig *r = unchecked(2);
	struct conn c;

	rig_start(r);
	c = conn_of(r, 1, 0);
	set(r, 1, drain);
	rig_wait(r, 50 * S);
	drain.weight = 3;
	set(r, 1, drain);
	rig_wait(r, 11 * S);
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

START_TEST(a_result_for_the_one_before_in_its_slot_is_void)
{
	struct rig *r = checked(2);
	struct probe_request p = {.number = 0};
	unsigned service;
	int slot;

	rig_start(r);
	while (p.number == 0 || p.backend != 1) {
		r->now += 50 * MS;
		engine_tick(r->e, r->now, 64);
		if (!engine_next_probe(r->e, &p))
			p.number = 0;
	}
	engine_leave_backend(r->e, 0, 1, LEAVE_KEEP, r->now);
	while (!engine_next_left(r->e, r->now, &service, &slot))
		probes(r, -1, S);
	engine_free_backend(r->e, 0, 1);
	add(r, 1);
	for (int i = 0; i < 10 && !rig_backend(r, 1)->health.probing; i++) {
		r->now += 50 * MS;
		engine_tick(r->e, r->now, 64);
	}
	ck_assert(rig_backend(r, 1)->health.probing);
	engine_probe_result(r->e, 0, 1, p.number, CHECK_OK, r->now);
	ck_assert(!rig_backend(r, 1)->proven);
	ck_assert_uint_eq(rig_backend(r, 1)->answered_ns, 0);
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

int main(void)
{
	const struct unit_test tests[] = {
		{one_that_drains_has_its_time_and_is_reset_then, 2},
		{a_drain_may_have_a_time_of_its_own, 0},
		{a_drain_that_is_said_again_is_the_same, 0},
		{a_drain_that_keeps_has_no_end, 0},
		{the_time_to_drain_may_change_meanwhile, 0},
		{a_drain_that_is_taken_back_ends, 0},
		{one_that_is_disabled_loses_its_flows_at_once, 0},
		{one_that_is_disabled_is_not_checked, 0},
		{one_that_is_enabled_proves_itself_and_starts_slowly, 0},
		{after_a_drain_slow_start_applies, 0},
		{a_result_from_before_is_void, 0},
		{a_result_for_the_one_before_in_its_slot_is_void, 0},
		{a_newcomer_takes_no_flows_until_a_check_passes, 0},
		{a_newcomer_that_passes_starts_slowly, 0},
		{a_newcomer_that_cannot_wait_takes_flows_at_once, 0},
		{a_newcomer_serves_when_nobody_else_does, 4},
	};

	return unit_run("wishes", tests, ARRAY_LEN(tests));
}
