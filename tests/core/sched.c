/* SPDX-License-Identifier: MIT */
/* sched.c - which backend takes the next flow */
#include <string.h>

#include "core/service.h"
#include "unit.h"

#define N_MAX 8

struct fixture {
	struct service service;
	struct backend backends[N_MAX];
	struct backend_set tried;
	uint64_t now_ns;
};

static void make(struct fixture *f, enum sched_kind kind, unsigned n,
		 const unsigned *weights)
{
	memset(f, 0, sizeof(*f));
	f->service.params.scheduler = kind;
	f->service.n_backends = n;
	f->service.backends = f->backends;
	for (unsigned i = 0; i < n; i++) {
		f->backends[i].index = i;
		f->backends[i].params.weight = weights ? weights[i] : 1;
		f->backends[i].slot = SLOT_LIVE;
		f->backends[i].up = f->backends[i].proven = true;
	}
}

/* The index of the pick, or -1. */
static int pick(struct fixture *f)
{
	const struct backend *b = sched_pick(&f->service, &f->tried, f->now_ns);

	if (b)
		ck_assert_ptr_eq(b, &f->backends[b->index]);
	return b ? (int)b->index : -1;
}

static void pick_many(struct fixture *f, int times, int *seen)
{
	memset(seen, 0, N_MAX * sizeof(*seen));
	while (times--) {
		int i = pick(f);

		ck_assert_int_ge(i, 0);
		seen[i]++;
	}
}

START_TEST(rr_takes_each_in_turn)
{
	struct fixture f;

	make(&f, SCHED_RR, 3, NULL);
	for (int i = 0; i < 30; i++) {
		static int first;

		if (i == 0)
			first = pick(&f);
		else
			ck_assert_int_eq(pick(&f), (first + i) % 3);
	}
}
END_TEST

START_TEST(rr_skips_those_that_take_no_flows)
{
	struct fixture f;
	int seen[N_MAX];

	make(&f, SCHED_RR, 4, NULL);
	f.backends[1].up = false;
	f.backends[2].params.weight = 0;
	pick_many(&f, 100, seen);
	ck_assert_int_eq(seen[0], 50);
	ck_assert_int_eq(seen[3], 50);
}
END_TEST

START_TEST(rr_ignores_weights_but_zero)
{
	struct fixture f;
	int seen[N_MAX];

	make(&f, SCHED_RR, 2, (const unsigned[]){9, 1});
	pick_many(&f, 100, seen);
	ck_assert_int_eq(seen[0], 50);
}
END_TEST

/* 3:2:1 exactly in every six, from any point on, and never AAA in a row. */
START_TEST(wrr_is_exact_in_every_round_and_interleaved)
{
	struct fixture f;
	int order[60];

	make(&f, SCHED_WRR, 3, (const unsigned[]){3, 2, 1});
	for (int i = 0; i < 60; i++)
		order[i] = pick(&f);
	for (int at = 0; at + 6 <= 60; at += 6) {
		int seen[3] = {0};

		for (int i = 0; i < 6; i++)
			seen[order[at + i]]++;
		ck_assert_int_eq(seen[0], 3);
		ck_assert_int_eq(seen[1], 2);
		ck_assert_int_eq(seen[2], 1);
	}
	for (int i = 2; i < 60; i++) {
		ck_assert(order[i] != order[i - 1] || order[i] != order[i - 2]);
		ck_assert(order[i] == 0 || order[i] != order[i - 1]);
	}
}
END_TEST

START_TEST(wrr_with_large_and_uneven_weights_is_exact)
{
	static const unsigned weights[] = {65535, 1, 1000};
	struct fixture f;
	int seen[N_MAX];

	make(&f, SCHED_WRR, 3, weights);
	pick_many(&f, 65535 + 1 + 1000, seen);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(seen[i], (int)weights[i]);
}
END_TEST

/* Whoever was away has no claim to what he missed, and owes nothing. */
START_TEST(wrr_gives_no_burst_to_a_backend_that_returns)
{
	struct fixture f;
	int seen[N_MAX];

	make(&f, SCHED_WRR, 3, (const unsigned[]){3, 2, 1});
	pick_many(&f, 4, seen);
	f.backends[1].up = false;
	pick_many(&f, 4000, seen);
	ck_assert_int_eq(seen[1], 0);
	ck_assert_int_eq(seen[0], 3000);
	f.backends[1].up = true;
	pick_many(&f, 60, seen);
	ck_assert_int_ge(seen[0], 28);
	ck_assert_int_le(seen[0], 32);
	ck_assert_int_ge(seen[1], 18);
	ck_assert_int_le(seen[1], 22);
	ck_assert_int_ge(seen[2], 8);
	ck_assert_int_le(seen[2], 12);
}
END_TEST

START_TEST(wrr_stays_fair_when_some_were_tried_already)
{
	struct fixture f;
	int seen[N_MAX];

	make(&f, SCHED_WRR, 3, (const unsigned[]){3, 2, 1});
	backend_set_add(&f.tried, 0);
	pick_many(&f, 3000, seen);
	ck_assert_int_eq(seen[0], 0);
	ck_assert_int_eq(seen[1], 2000);
	memset(&f.tried, 0, sizeof(f.tried));
	pick_many(&f, 60, seen);
	ck_assert_int_ge(seen[1], 18);
	ck_assert_int_ge(seen[2], 8);
	ck_assert_int_ge(seen[0], 28);
}
END_TEST

START_TEST(lc_takes_the_one_with_fewest_flows)
{
	struct random r = unit_random(__func__);
	struct fixture f;

	make(&f, SCHED_LC, 5, NULL);
	for (int step = 0; step < 2000; step++) {
		uint32_t fewest = UINT32_MAX;
		int got;

		f.backends[random_below(&r, 5)].flows = random_below(&r, 50);
		for (int i = 0; i < 5; i++)
			if (f.backends[i].flows < fewest)
				fewest = f.backends[i].flows;
		got = pick(&f);
		ck_assert_int_ge(got, 0);
		ck_assert_uint_eq(f.backends[got].flows, fewest);
	}
}
END_TEST

START_TEST(lc_spreads_flows_evenly)
{
	struct fixture f;

	make(&f, SCHED_LC, 3, NULL);
	for (int i = 0; i < 300; i++)
		f.backends[pick(&f)].flows++;
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(f.backends[i].flows, 100);
}
END_TEST

/* ------------------------------------------------------------- slow start */

#define RAMP_MS 8000
#define T0	(5000 * 1000000000ull)

/* All are checked and the first has been down: it is up again since T0. */
static void make_recovered(struct fixture *f, enum sched_kind kind, unsigned n,
			   const unsigned *weights)
{
	make(f, kind, n, weights);
	f->service.params.checked = true;
	for (unsigned i = 0; i < n; i++) {
		f->backends[i].health.params.slow_start_ms = RAMP_MS;
		f->backends[i].health.up = true;
	}
	f->backends[0].health.recovered = true;
	f->backends[0].health.since_ns = f->now_ns = T0;
}

/* @eighths of the ramp are over. */
static void ramp_to(struct fixture *f, unsigned eighths)
{
	f->now_ns = T0 + eighths * (RAMP_MS / 8 * 1000000ull);
}

/* After k of 8 parts of it they are as k : 4 : 12, exact in every 16 + k. */
START_TEST(wrr_multiplies_the_weight_by_the_ramp)
{
	struct fixture f;
	int seen[N_MAX];

	make_recovered(&f, SCHED_WRR, 3, (const unsigned[]){2, 1, 3});
	for (unsigned k = 1; k <= 10; k++) {
		const int part = k < 8 ? (int)k : 8; /* over: its weight */

		ramp_to(&f, k);
		pick_many(&f, 16 + part, seen);
		ck_assert_int_eq(seen[0], part);
		ck_assert_int_eq(seen[1], 4);
		ck_assert_int_eq(seen[2], 12);
	}
}
END_TEST

/* Weights do not count for rr, but a ramp does. */
START_TEST(rr_gives_less_than_a_turn_while_one_ramps)
{
	struct fixture f;
	int seen[N_MAX];

	make_recovered(&f, SCHED_RR, 3, (const unsigned[]){9, 1, 1});
	ramp_to(&f, 2);
	pick_many(&f, 90, seen);
	ck_assert_int_eq(seen[0], 10);
	ck_assert_int_eq(seen[1], 40);
	ramp_to(&f, 8);
	pick_many(&f, 90, seen);
	ck_assert_int_eq(seen[0], 30);
}
END_TEST

/* It has none, the others 100 each: it would get 100 in a row. */
START_TEST(lc_gives_a_recovered_backend_no_burst)
{
	struct fixture f;
	int seen[N_MAX];

	make_recovered(&f, SCHED_LC, 3, NULL);
	f.backends[1].flows = f.backends[2].flows = 100;
	pick_many(&f, 100, seen);
	ck_assert_int_eq(seen[0], 0);
}
END_TEST

/* After k of 8 parts it has k/8 of what each of the others has, or one less. */
START_TEST(lc_fills_a_ramping_backend_by_its_share)
{
	struct fixture f;

	make_recovered(&f, SCHED_LC, 3, NULL);
	for (unsigned k = 1; k <= 8; k++) {
		ramp_to(&f, k);
		for (int i = 0; i < 3; i++)
			f.backends[i].flows = 0;
		for (int i = 0; i < 1000; i++)
			f.backends[pick(&f)].flows++;
		ck_assert_uint_ge(8 * f.backends[0].flows + 8,
				  k * f.backends[1].flows);
		ck_assert_uint_le(8 * f.backends[0].flows,
				  k * (f.backends[1].flows + 1));
		ck_assert_uint_le(f.backends[1].flows, f.backends[2].flows + 1);
		ck_assert_uint_le(f.backends[2].flows, f.backends[1].flows + 1);
	}
}
END_TEST

/* Who was never down has its weight from the start, and who is not checked. */
START_TEST(only_a_checked_backend_that_was_down_ramps)
{
	struct fixture f;
	int seen[N_MAX];

	for (int checked = 0; checked <= 1; checked++) {
		make_recovered(&f, (enum sched_kind)_i, 2, NULL);
		f.service.params.checked = checked;
		f.backends[0].health.recovered = !checked;
		pick_many(&f, 100, seen);
		ck_assert_int_eq(seen[0], 50);
	}
}
END_TEST

/* ------------------------------------------------------- who may be picked */

static void check_backups(enum sched_kind kind)
{
	struct fixture f;
	int seen[N_MAX];

	make(&f, kind, 4, NULL);
	f.backends[0].params.backup = f.backends[3].params.backup = true;
	f.backends[1].flows = f.backends[2].flows = 1000;
	pick_many(&f, 50, seen);
	ck_assert_int_eq(seen[0] + seen[3], 0);
	f.backends[1].up = false;
	pick_many(&f, 50, seen);
	ck_assert_int_eq(seen[2], 50);
	f.backends[2].params.weight = 0;
	pick_many(&f, 50, seen);
	ck_assert_int_eq(seen[0] + seen[3], 50);
	f.backends[1].up = true;
	pick_many(&f, 50, seen);
	ck_assert_int_eq(seen[1], 50);
}

START_TEST(backups_serve_only_when_no_other_takes_flows)
{
	check_backups((enum sched_kind)_i);
}
END_TEST

/* Those that are known to answer come first, be they backups. */
START_TEST(ejected_backends_are_picked_when_nobody_else_is_left)
{
	static const int order[] = {1, 3, 0, 2}; /* 0 and 2 are ejected */
	struct fixture f;

	make(&f, (enum sched_kind)_i, 4, NULL);
	f.backends[2].params.backup = f.backends[3].params.backup = true;
	for (int i = 0; i <= 2; i += 2) {
		f.backends[i].breaker.state = BREAKER_OPEN;
		f.backends[i].breaker.due_ns = 1;
	}
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(pick(&f), order[i]);
		backend_set_add(&f.tried, (unsigned)order[i]);
	}
	ck_assert_int_eq(pick(&f), -1);
}
END_TEST

START_TEST(tried_backends_are_not_picked_again)
{
	struct fixture f;

	make(&f, (enum sched_kind)_i, 5, NULL);
	for (int i = 0; i < 5; i++) {
		int got = pick(&f);

		ck_assert_int_ge(got, 0);
		ck_assert(!backend_set_has(&f.tried, (unsigned)got));
		backend_set_add(&f.tried, (unsigned)got);
	}
	ck_assert_int_eq(pick(&f), -1);
}
END_TEST

START_TEST(no_backend_is_picked_when_none_takes_flows)
{
	struct fixture f;

	make(&f, (enum sched_kind)_i, 3, NULL);
	f.backends[0].up = f.backends[1].up = false;
	f.backends[2].params.weight = 0;
	ck_assert_int_eq(pick(&f), -1);
	f.backends[1].up = true;
	ck_assert_int_eq(pick(&f), 1);
	f.service.n_backends = 0;
	ck_assert_int_eq(pick(&f), -1);
}
END_TEST

START_TEST(set_of_backends_holds_any_index)
{
	struct backend_set set = {{0}};

	for (unsigned i = 0; i < SERVICE_BACKENDS_MAX; i++) {
		ck_assert(!backend_set_has(&set, i));
		backend_set_add(&set, i);
		ck_assert(backend_set_has(&set, i));
	}
}
END_TEST

START_TEST(names_and_kinds_go_both_ways)
{
	for (int i = 0; i < SCHED_KINDS; i++)
		ck_assert_int_eq(sched_by_name(sched_name((enum sched_kind)i)),
				 i);
	ck_assert_int_eq(sched_by_name("rr"), SCHED_RR);
	ck_assert_int_eq(sched_by_name("wrr"), SCHED_WRR);
	ck_assert_int_eq(sched_by_name("lc"), SCHED_LC);
	ck_assert_int_eq(sched_by_name("r"), SCHED_KINDS);
	ck_assert_int_eq(sched_by_name(""), SCHED_KINDS);
	ck_assert_ptr_null(sched_name(SCHED_KINDS));
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{rr_takes_each_in_turn, 0},
		{rr_skips_those_that_take_no_flows, 0},
		{rr_ignores_weights_but_zero, 0},
		{wrr_is_exact_in_every_round_and_interleaved, 0},
		{wrr_with_large_and_uneven_weights_is_exact, 0},
		{wrr_gives_no_burst_to_a_backend_that_returns, 0},
		{wrr_stays_fair_when_some_were_tried_already, 0},
		{lc_takes_the_one_with_fewest_flows, 0},
		{lc_spreads_flows_evenly, 0},
		{wrr_multiplies_the_weight_by_the_ramp, 0},
		{rr_gives_less_than_a_turn_while_one_ramps, 0},
		{lc_gives_a_recovered_backend_no_burst, 0},
		{lc_fills_a_ramping_backend_by_its_share, 0},
		{only_a_checked_backend_that_was_down_ramps, SCHED_KINDS},
		{backups_serve_only_when_no_other_takes_flows, SCHED_KINDS},
		{ejected_backends_are_picked_when_nobody_else_is_left,
		 SCHED_KINDS},
		{tried_backends_are_not_picked_again, SCHED_KINDS},
		{no_backend_is_picked_when_none_takes_flows, SCHED_KINDS},
		{set_of_backends_holds_any_index, 0},
		{names_and_kinds_go_both_ways, 0},
	};

	return unit_run("sched", tests, ARRAY_LEN(tests));
}
