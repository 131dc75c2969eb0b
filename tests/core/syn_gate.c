/* SPDX-License-Identifier: MIT */
/* syn_gate.c - which SYNs go on when more come than can be carried */
#include "core/syn_gate.h"
#include "rig.h"
#include "rules.h"
#include "unit.h"

#define S  RIG_S
#define MS (RIG_S / 1000)
#define T0 (1000 * S)

static struct syn_gate *begin(void)
{
	static struct syn_gate g;

	syn_gate_free(&g);
	syn_gate_init(&g);
	return &g;
}

static struct syn_gate *closed(void)
{
	struct syn_gate *g = begin();

	syn_gate_lost(g, T0);
	return g;
}

/* With others than the last time. */
static void use_up_turn(struct syn_gate *g, uint64_t now_ns)
{
	static uint32_t turns;

	turns++;
	ck_assert_uint_eq(syn_gate_turn(g, now_ns), SYN_GATE_LOOK);
	for (uint32_t i = 0; i < SYN_GATE_FIRST; i++)
		ck_assert(syn_gate_passes(g, 0xf0000000 + i, turns, now_ns));
}

START_TEST(everything_passes_as_long_as_nothing_is_lost)
{
	struct syn_gate *g = begin();

	ck_assert_uint_eq(syn_gate_turn(g, T0), SYN_GATE_FIRST);
	for (uint32_t i = 0; i < 10000; i++)
		ck_assert(syn_gate_passes(g, i, 7, T0));
}
END_TEST

START_TEST(a_turn_carries_so_many_first_ones)
{
	struct syn_gate *g = closed();

	for (int turn = 0; turn < 3; turn++) {
		use_up_turn(g, T0);
		for (uint32_t i = 0; i < 100; i++)
			ck_assert(!syn_gate_passes(g, i, (uint32_t)turn, T0));
	}
}
END_TEST

START_TEST(what_comes_again_passes_whatever_else_comes)
{
	struct syn_gate *g = closed();

	use_up_turn(g, T0);
	ck_assert(!syn_gate_passes(g, 1, 1, T0));
	for (uint32_t i = 0; i < 1000; i++)
		ck_assert(!syn_gate_passes(g, i, 77, T0 + 499 * MS));
	ck_assert(syn_gate_passes(g, 1, 1, T0 + S));
	ck_assert(syn_gate_passes(g, 1, 1, T0 + 3 * S));
}
END_TEST

/* Another connection of the same ports, or the same number by others. */
START_TEST(a_copy_has_the_same_ports_and_number)
{
	struct syn_gate *g = closed();

	use_up_turn(g, T0);
	ck_assert(!syn_gate_passes(g, 1, 1, T0));
	ck_assert(!syn_gate_passes(g, 1, 2, T0));
	ck_assert(!syn_gate_passes(g, 2, 1, T0));
}
END_TEST

START_TEST(a_syn_is_forgotten_after_a_while)
{
	struct syn_gate *g = closed();
	uint64_t later = T0 + (SYN_GATE_MEMORY_S + 1) * S;

	use_up_turn(g, T0);
	ck_assert(!syn_gate_passes(g, 1, 1, T0));
	syn_gate_lost(g, later);
	ck_assert(!syn_gate_passes(g, 1, 1, later));
	ck_assert(syn_gate_passes(g, 1, 1, later + S / 10));
}
END_TEST

/* Others than all before. */
static void refuse(struct syn_gate *g, uint32_t count, uint64_t now_ns)
{
	static uint32_t bursts;

	use_up_turn(g, now_ns);
	bursts++;
	for (uint32_t i = 0; i < count; i++)
		ck_assert(!syn_gate_passes(g, 0x10000000 + i, bursts, now_ns));
}

START_TEST(it_stays_closed_while_the_flood_lasts_and_opens_then)
{
	struct syn_gate *g = closed();
	uint64_t now = T0;

	for (int i = 0; i < 100; i++) {
		now += SYN_GATE_CLOSED_NS - 1;
		refuse(g, SYN_GATE_WAITING, now);
	}
	now += SYN_GATE_CLOSED_NS;
	ck_assert(syn_gate_passes(g, 12345, 9, now));
	ck_assert_uint_eq(syn_gate_turn(g, now), SYN_GATE_FIRST);
}
END_TEST

/* Of many clients that come together, again and again: no flood. */
START_TEST(what_would_wait_in_the_ring_does_not_keep_it_closed)
{
	struct syn_gate *g = closed();

	refuse(g, SYN_GATE_WAITING / 4, T0 + SYN_GATE_CLOSED_NS / 2);
	refuse(g, SYN_GATE_WAITING / 4, T0 + SYN_GATE_CLOSED_NS - 1);
	for (uint32_t i = 0; i < 1000; i++)
		ck_assert(syn_gate_passes(g, i, 9, T0 + SYN_GATE_CLOSED_NS));
}
END_TEST

/* Bursts below that, but in the end more than a ring within the time. */
START_TEST(refusals_since_the_last_loss_are_counted)
{
	struct syn_gate *g = closed();

	refuse(g, SYN_GATE_WAITING - 1, T0 + 1);
	syn_gate_lost(g, T0 + 2);
	refuse(g, SYN_GATE_WAITING - 1, T0 + 3);
	ck_assert_uint_eq(g->closed_until_ns, T0 + 2 + SYN_GATE_CLOSED_NS);
	refuse(g, 1, T0 + 4);
	ck_assert_uint_eq(g->closed_until_ns, T0 + 4 + SYN_GATE_CLOSED_NS);
}
END_TEST

/* A hundred thousand a second, for three seconds. */
START_TEST(most_honest_ones_are_remembered_in_a_flood)
{
	enum { HONEST = 100, FLOOD = 100000 };
	struct syn_gate *g = closed();
	struct random r = unit_random(__func__);
	uint32_t hash[HONEST];
	unsigned passed = 0;

	use_up_turn(g, T0);
	for (int i = 0; i < HONEST; i++) {
		hash[i] = (uint32_t)random_next(&r);
		ck_assert(!syn_gate_passes(g, hash[i], 5, T0));
	}
	for (int i = 0; i < FLOOD; i++)
		syn_gate_passes(g, (uint32_t)random_next(&r),
				(uint32_t)random_next(&r), T0 + S / 2);
	for (int i = 0; i < HONEST; i++)
		passed += syn_gate_passes(g, hash[i], 5, T0 + S);
	ck_assert_uint_ge(passed, HONEST * 3 / 4); /* nine of ten */
}
END_TEST

/* The engine: others are dropped and counted, connections do not notice. */
START_TEST(connections_and_repeated_syns_go_on_in_a_flood)
{
	struct rig *r = rig_new(2);
	struct conn held = conn_make(r, 200), late = conn_make(r, 201);

	r->setup.spec.n_flows = 256;
	r->setup.spec.n_ports = RIG_PORTS_MAX;
	rig_start(r);
	conn_establish(r, &held);
	engine_syns_lost(r->e, r->now);
	engine_syn_turn(r->e, r->now);
	for (unsigned i = 0; i < SYN_GATE_FIRST; i++) {
		struct conn c = conn_make(r, i);

		ck_assert(conn_syn(r, &c));
	}
	ck_assert(!conn_syn(r, &late));
	ck_assert_int_eq(r->why, DROP_SYN_OVERLOAD);
	ck_assert_uint_eq(rig_drain(r), 0); /* it is not refused */
	ck_assert(conn_send(r, &held, FLOW_ORIG, ACK, 100));
	ck_assert(conn_syn(r, &late));
	ck_assert_ptr_null(rules_broken(r->e));
	rig_free(r);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{everything_passes_as_long_as_nothing_is_lost, 0},
		{a_turn_carries_so_many_first_ones, 0},
		{what_comes_again_passes_whatever_else_comes, 0},
		{a_copy_has_the_same_ports_and_number, 0},
		{a_syn_is_forgotten_after_a_while, 0},
		{it_stays_closed_while_the_flood_lasts_and_opens_then, 0},
		{what_would_wait_in_the_ring_does_not_keep_it_closed, 0},
		{refusals_since_the_last_loss_are_counted, 0},
		{most_honest_ones_are_remembered_in_a_flood, 0},
		{connections_and_repeated_syns_go_on_in_a_flood, 0},
	};

	return unit_run("syn_gate", tests, ARRAY_LEN(tests));
}
