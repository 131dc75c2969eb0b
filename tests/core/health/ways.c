/* SPDX-License-Identifier: MIT */
/*
 * ways.c - by which link each backend is reached, and when it was heard
 */
#include "inside.h"
#include "rig.h"
#include "unit.h"

/* Links that ways lead by at present; each must be shown once. */
static unsigned links_shown(const struct engine *e)
{
	unsigned shown = 0;

	for (unsigned i = 0; i < engine_n_links(e); i++) {
		shown += engine_link(e, i) != 0;
		for (unsigned k = 0; k < i && engine_link(e, i); k++)
			ck_assert_int_ne(engine_link(e, i), engine_link(e, k));
	}
	return shown;
}

START_TEST(a_link_is_heard_for_all_that_are_reached_by_it)
{
	struct rig *r = rig_started(3);

	ck_assert_uint_eq(engine_n_ways(r->e), 3);
	engine_set_way(r->e, 0, 7);
	engine_set_way(r->e, 1, 9);
	engine_set_way(r->e, 2, 7);
	ck_assert_uint_eq(links_shown(r->e), 2);
	engine_link_heard(r->e, 7, 100);
	ck_assert_uint_eq(inside_way_heard_ns(r->e, 0), 100);
	ck_assert_uint_eq(inside_way_heard_ns(r->e, 1), 0);
	ck_assert_uint_eq(inside_way_heard_ns(r->e, 2), 100);
	/* Clients come by links that lead to no backend. */
	engine_link_heard(r->e, 8, 300);
	ck_assert_uint_eq(inside_way_heard_ns(r->e, 0), 100);
	/* What was heard stays heard. */
	engine_link_heard(r->e, 9, 200);
	engine_link_heard(r->e, 7, 99);
	engine_link_heard(r->e, 9, 1);
	ck_assert_uint_eq(inside_way_heard_ns(r->e, 0), 100);
	ck_assert_uint_eq(inside_way_heard_ns(r->e, 1), 200);
	rig_done(r);
}
END_TEST

START_TEST(a_way_is_open_until_it_is_told_otherwise)
{
	const int ways[] = {WAY_NONE, 3, WAY_NONE, WAY_OPEN, 4, WAY_OPEN};
	struct rig *r = rig_started(1);

	ck_assert_int_eq(inside_way(r->e, 0), WAY_OPEN);
	for (unsigned i = 0; i < ARRAY_LEN(ways); i++) {
		engine_set_way(r->e, 0, ways[i]);
		ck_assert_int_eq(inside_way(r->e, 0), ways[i]);
		ck_assert_uint_eq(links_shown(r->e), ways[i] > 0);
	}
	rig_done(r);
}
END_TEST

/* Interfaces of containers are made and deleted without end. */
START_TEST(a_link_that_leads_nowhere_gives_its_place_back)
{
	struct rig *r = rig_started(2);
	int link;

	engine_set_way(r->e, 0, 1);
	for (int id = 2; id < 10 * ENGINE_LINKS_MAX; id++) {
		engine_set_way(r->e, 1, id);
		ck_assert_uint_eq(links_shown(r->e), 2);
		ck_assert_uint_eq(inside_way_heard_ns(r->e, 1),
				  0); /* of no earlier link */
		engine_link_heard(r->e, id, (uint64_t)id);
		ck_assert_uint_eq(inside_way_heard_ns(r->e, 1), (uint64_t)id);
	}
	ck_assert_uint_le(engine_n_links(r->e), 3);
	ck_assert_uint_eq(inside_way_heard_ns(r->e, 0), 0);
	ck_assert(!engine_next_ask(r->e, &link));
	rig_done(r);
}
END_TEST

/* Its earlier place may still have its number. */
START_TEST(a_link_that_returns_is_heard_at_its_new_place)
{
	struct rig *r = rig_started(2);

	for (int first = 5; first <= 6; first++) {
		engine_set_way(r->e, 0, 5);
		engine_set_way(r->e, 1, 6);
		engine_set_way(r->e, 0, WAY_OPEN);
		engine_set_way(r->e, 1, WAY_OPEN);
		engine_set_way(r->e, 0, first);
		engine_link_heard(r->e, first, 100);
		ck_assert_uint_eq(inside_way_heard_ns(r->e, 0), 100);
		engine_set_way(r->e, 0, WAY_OPEN);
	}
	rig_done(r);
}
END_TEST

/* Each of many backends has a link of its own. */
START_TEST(links_that_find_no_place_are_not_judged)
{
	enum { EACH = SERVICE_SOURCES_MAX, BACKENDS = RIG_BACKENDS_MAX };
	struct rig *r = rig_new(BACKENDS);
	unsigned open = 0, n;

	rig_add_service(r, 20001);
	for (unsigned s = 0; s < 2; s++)
		for (unsigned i = 0; i < BACKENDS; i++) {
			struct backend_spec *b = &r->setup.backends[s][i];

			b->n_sources = EACH;
			for (unsigned k = 0; k < EACH; k++) {
				b->sources[k] = frame_addr("198.18.0.1");
				b->sources[k].b[14] = (uint8_t)(s + 1);
				b->sources[k].b[15] = (uint8_t)(k + 1);
			}
		}
	rig_start(r);
	n = engine_n_ways(r->e);
	ck_assert_uint_gt(n, ENGINE_LINKS_MAX);
	for (unsigned way = 0; way < n; way++)
		engine_set_way(r->e, way, (int)way + 1);
	ck_assert_uint_eq(links_shown(r->e), ENGINE_LINKS_MAX);
	for (unsigned way = 0; way < n; way++)
		open += inside_way(r->e, way) == WAY_OPEN;
	ck_assert_uint_eq(open, n - ENGINE_LINKS_MAX);
	/* As soon as there is a place it is taken. */
	engine_set_way(r->e, 0, WAY_NONE);
	engine_set_way(r->e, n - 1, (int)n);
	ck_assert_int_eq(inside_way(r->e, n - 1), (int)n);
	rig_done(r);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_link_is_heard_for_all_that_are_reached_by_it, 0},
		{a_way_is_open_until_it_is_told_otherwise, 0},
		{a_link_that_leads_nowhere_gives_its_place_back, 0},
		{a_link_that_returns_is_heard_at_its_new_place, 0},
		{links_that_find_no_place_are_not_judged, 0},
	};

	return unit_run("ways", tests, ARRAY_LEN(tests));
}
