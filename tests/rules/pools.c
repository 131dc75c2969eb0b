/* SPDX-License-Identifier: MIT */
/*
 * pools.c - NAT ports of pairs of ends that go, return, or become others
 */
#include <arpa/inet.h>
#include <errno.h>

#include "core/change.h"
#include "rig.h"
#include "rules.h"
#include "unit.h"

#define ORIG  FLOW_ORIG
#define REPLY FLOW_REPLY
#define S     RIG_S

#define LEFT_S 12  /* until a slot without flows may be freed */
#define REST_S 241 /* until a pool may be another pair's */

static int prepare(struct rig *r, unsigned slot, unsigned n)
{
	struct err err;

	return engine_prepare_backend(r->e, 0, slot, &r->setup.backends[0][n],
				      r->now, &err);
}

static void add(struct rig *r, unsigned slot, unsigned n)
{
	ck_assert_int_eq(prepare(r, slot, n), 0);
	engine_enter_backend(r->e, 0, slot, r->now);
}

static void take_away(struct rig *r, unsigned slot)
{
	unsigned s;
	int b;

	engine_leave_backend(r->e, 0, slot, LEAVE_RESET, r->now);
	while (!engine_next_left(r->e, r->now, &s, &b)) {
		rig_wait(r, S);
		rig_drain(r);
	}
	ck_assert_int_eq(b, (int)slot);
	engine_free_backend(r->e, 0, slot);
}

/* The port of a new connection, which is over then. */
static uint16_t next_port(struct rig *r, unsigned client)
{
	struct conn c = conn_make(r, client);

	conn_establish(r, &c);
	conn_close(r, &c);
	rig_wait(r, 61 * S);
	return c.nat.port;
}

/* What the backend may remember comes last. */
START_TEST(a_pair_that_returns_finds_its_ports_in_their_order)
{
	struct rig *r = rig_small(1, 64, 4);
	uint16_t before[4];

	for (unsigned i = 0; i < 4; i++)
		before[i] = next_port(r, i);
	ck_assert_uint_eq(next_port(r, 4), before[0]);
	add(r, 1, 1);
	take_away(r, 0);
	ck_assert_uint_eq(inside_pools(r->e), 2);
	ck_assert_uint_eq(inside_pool(r->e, 0).holders, 0);
	add(r, 0, 0);
	take_away(r, 1);
	ck_assert_uint_eq(inside_pools(r->e), 2);
	for (unsigned i = 1; i < 4; i++)
		ck_assert_uint_eq(next_port(r, 4 + i), before[i]);
	rig_done(r);
}
END_TEST

START_TEST(a_pool_that_has_rested_is_used_for_another_pair)
{
	struct rig *r = rig_started(1);

	add(r, 1, 1);
	take_away(r, 1);
	add(r, 1, 2); /* the last pair may return soon */
	ck_assert_uint_eq(inside_pools(r->e), 3);
	take_away(r, 1);
	rig_wait(r, REST_S * S);
	add(r, 1, 3);
	add(r, 2, 4);
	ck_assert_uint_eq(inside_pools(r->e), 3);
	add(r, 3, 5);
	ck_assert_uint_eq(inside_pools(r->e), 4);
	for (unsigned i = 0; i < 8; i++)
		next_port(r, i);
	rig_done(r);
}
END_TEST

START_TEST(as_many_pairs_as_there_are_pools)
{
	struct rig *r = rig_new(2);

	r->setup.spec.pools_max = 3;
	rig_start(r);
	add(r, 2, 2);
	ck_assert_int_eq(prepare(r, 3, 3), -ENOSPC);
	add(r, 3, 2); /* shares */
	take_away(r, 2);
	ck_assert_int_eq(prepare(r, 2, 3), -ENOSPC);
	take_away(r, 3);
	add(r, 2, 3); /* without a rest, since there is no other */
	rig_done(r);
}
END_TEST

/* Some of its pools were free, the last was not. */
START_TEST(a_backend_that_cannot_be_prepared_holds_nothing)
{
	struct rig *r = rig_new(1);
	struct backend_spec *b = &r->setup.backends[0][1];

	b->n_sources = 3;
	for (unsigned i = 1; i < 3; i++)
		b->sources[i] =
			frame_addr(i == 1 ? "198.18.0.2" : "198.18.0.3");
	r->setup.spec.pools_max = 3;
	rig_start(r);
	ck_assert_int_eq(prepare(r, 1, 1), -ENOSPC);
	ck_assert_int_eq(engine_backend_slot(r->e, 0, 1), SLOT_FREE);
	ck_assert_uint_eq(engine_backends(r->e, 0), 1);
	b->n_sources = 2;
	add(r, 1, 1);
	rig_done(r);
}
END_TEST

/*
 * The first backend changes its source while it has flows, and another service
 * comes to use the old one: no port is given twice.
 */
START_TEST(flows_keep_the_ports_of_a_source_that_is_left)
{
	const struct ip_addr after = frame_addr("198.18.0.9");
	struct rig *r = rig_small(1, 64, 4);
	struct conn c[8];

	for (unsigned i = 0; i < 4; i++) {
		c[i] = conn_make(r, i);
		conn_establish(r, &c[i]);
	}
	ck_assert(engine_set_source(r->e, 0, 0, &after));
	add(r, 1, 0);
	for (unsigned i = 4; i < 8; i++) {
		c[i] = conn_make(r, i);
		conn_establish(r, &c[i]);
		ck_assert(addr_equal(&c[i].nat.addr, &after));
	}
	conn_is_refused(r, 9, DROP_NO_PORT);
	for (unsigned i = 0; i < 8; i++)
		ck_assert(conn_send(r, &c[i], REPLY, ACK, 10));
	rig_done(r);
}
END_TEST

START_TEST(a_new_pool_knows_what_was_reported_of_its_source)
{
	const struct ip_addr source = frame_addr("198.18.0.1");
	struct rig *r = rig_started(1);

	engine_set_source_away(r->e, &source, true);
	add(r, 1, 1);
	for (unsigned i = 0; i < 4; i++) {
		struct conn c = conn_make(r, i);
		struct frame syn = conn_frame(&c, ORIG, SYN, 0);

		ck_assert(!rig_send(r, &syn));
		ck_assert_int_eq(r->why, DROP_NO_ROUTE);
	}
	engine_set_source_away(r->e, &source, false);
	next_port(r, 5);
	rig_done(r);
}
END_TEST

/* Nobody is to look for a route toward a backend that is no more. */
START_TEST(a_pool_without_a_backend_is_no_way)
{
	struct ip_addr source, backend;
	struct rig *r = rig_started(1);

	add(r, 1, 1);
	engine_set_way(r->e, 1, 7);
	ck_assert_uint_eq(engine_n_links(r->e), 1);
	ck_assert_int_eq(engine_link(r->e, 0), 7);
	take_away(r, 1);
	engine_way(r->e, 1, &source, &backend);
	ck_assert(!addr_is_set(&source));
	ck_assert_int_eq(engine_link(r->e, 0), 0);
	rig_done(r);
}
END_TEST

/* Strays of one that is no more are not ours to answer. */
START_TEST(a_backend_that_is_no_more_gets_no_answer)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_make(r, 0);
	struct frame late;

	add(r, 1, 1);
	for (unsigned i = 0; i < 2; i++) {
		c = conn_make(r, i);
		conn_establish(r, &c);
		if (same(c.backend, rig_backend(r, 1)->addr))
			break;
	}
	take_away(r, 1);
	late = conn_frame(&c, REPLY, ACK, 10);
	ck_assert(!rig_send(r, &late));
	ck_assert_int_eq(r->why, DROP_NOT_OURS);
	ck_assert_uint_eq(rig_drain(r), 0);
	rig_done(r);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_pair_that_returns_finds_its_ports_in_their_order, 0},
		{a_pool_that_has_rested_is_used_for_another_pair, 0},
		{as_many_pairs_as_there_are_pools, 0},
		{a_backend_that_cannot_be_prepared_holds_nothing, 0},
		{flows_keep_the_ports_of_a_source_that_is_left, 0},
		{a_new_pool_knows_what_was_reported_of_its_source, 0},
		{a_pool_without_a_backend_is_no_way, 0},
		{a_backend_that_is_no_more_gets_no_answer, 0},
	};

	return unit_run("pools", tests, ARRAY_LEN(tests));
}
