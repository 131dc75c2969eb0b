/* SPDX-License-Identifier: MIT */
/* shown.c - what the engine shows of its slots and pools (core/view.h) */
#include <string.h>

#include "core/change.h"
#include "rig.h"
#include "unit.h"

START_TEST(slots_that_nobody_has_count_nothing)
{
	const struct backend_counters none = {.total = 0};
	const struct service_counters zero = {.requests = 0};
	struct rig *r = rig_started(1);

	conn_in_state(r, 1, TCP_ESTABLISHED);
	for (unsigned i = 1; i < 1000; i += 7) {
		ck_assert_mem_eq(engine_backend_counters(r->e, 0, i), &none,
				 sizeof(none));
		ck_assert_mem_eq(engine_backend_counters(r->e, i, 0), &none,
				 sizeof(none));
		ck_assert_mem_eq(engine_service_counters(r->e, i), &zero,
				 sizeof(zero));
		ck_assert_int_eq(engine_view_service(r->e, i).slot, SLOT_FREE);
	}
	rig_done(r);
}
END_TEST

START_TEST(a_service_shows_what_it_is)
{
	struct rig *r = rig_started(3);
	struct service_view v;

	r->setup.services[0].params.half_open_max = 9;
	engine_set_service(r->e, 0, &r->setup.services[0].params, r->now);
	conn_in_state(r, 1, TCP_SYN_SENT);
	conn_in_state(r, 2, TCP_ESTABLISHED);
	engine_set_service_away(r->e, 0, true);
	v = engine_view_service(r->e, 0);
	ck_assert_int_eq(v.slot, SLOT_LIVE);
	ck_assert(same(v.listen, r->setup.services[0].listen));
	ck_assert(v.away);
	ck_assert_uint_eq(v.n_backends, 3);
	ck_assert_uint_eq(v.half_open, 1);
	ck_assert_uint_eq(v.half_open_limit, 9);
	engine_leave_service(r->e, 0, LEAVE_KEEP, r->now);
	ck_assert_int_eq(engine_view_service(r->e, 0).slot, SLOT_LEAVING);
	rig_done(r);
}
END_TEST

START_TEST(a_pool_shows_its_ports)
{
	struct rig *r = rig_new(2);
	struct pool_view v;

	rig_add_service(r, 20001);
	rig_start(r);
	for (unsigned n = 0; n < 6; n++)
		conn_in_state(r, n, n < 4 ? TCP_ESTABLISHED : TCP_SYN_SENT);
	ck_assert_uint_eq(engine_pools(r->e), 2);
	for (unsigned i = 0; i < 2; i++) {
		v = engine_view_pool(r->e, i);
		ck_assert(same(v.backend, rig_backend(r, i)->addr));
		ck_assert_uint_eq(v.size, 32);
		ck_assert_uint_eq(v.used, 2);
		ck_assert_uint_eq(v.recyclable, 1);
		ck_assert_uint_eq(v.used_percent, 7);
		ck_assert_uint_eq(v.holders, 2);
	}
	ck_assert_uint_eq(engine_fullest_pool(r->e).used, 2);
	ck_assert_uint_eq(engine_view_pool(r->e, 2).size, 0);
	rig_done(r);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{slots_that_nobody_has_count_nothing, 0},
		{a_service_shows_what_it_is, 0},
		{a_pool_shows_its_ports, 0},
	};

	return unit_run("shown", tests, ARRAY_LEN(tests));
}
