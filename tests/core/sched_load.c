/* SPDX-License-Identifier: MIT */
/* sched_load.c - the schedulers by load: lc, wlc, p2c */
#include "core/flow.h"
#include "sched.h"

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

/* ------------------------------------------------------------- wlc */

/* An oracle: nobody has fewer flows for its weight, by exact fractions. */
START_TEST(wlc_takes_the_one_with_fewest_flows_for_its_weight)
{
	struct random r = unit_random(__func__);
	struct fixture f;

	make(&f, SCHED_WLC, 7, NULL);
	for (int step = 0; step < 20000; step++) {
		struct backend *b = &f.backends[random_below(&r, 7)];
		int got;

		b->flows = random_below(&r, step % 2 ? 5 : FLOWS_MAX);
		b->params.weight = random_below(&r, 257);
		got = pick(&f);
		for (int i = 0; i < 7; i++) {
			const struct backend *other = &f.backends[i];

			if (other->params.weight == 0)
				continue;
			unit_check(got >= 0, "nobody takes the flow");
			unit_check(
				(uint64_t)(f.backends[got].flows + 1) *
						other->params.weight <=
					(uint64_t)(other->flows + 1) *
						f.backends[got].params.weight,
				"%d has more than %d", got, i);
		}
	}
}
END_TEST

/* Flows that stay: all along each has its share, to within a few. */
START_TEST(wlc_fills_by_weight)
{
	static const unsigned weights[] = {5, 1, 3, 0, 256};
	struct fixture f;

	make(&f, SCHED_WLC, 5, weights);
	for (int n = 1; n <= 5 * 265; n++) {
		f.backends[pick(&f)].flows++;
		for (int i = 0; i < 5; i++) {
			const double ideal = n * (double)weights[i] / 265;

			unit_check(f.backends[i].flows <= ideal + 4 &&
					   f.backends[i].flows >= ideal - 2,
				   "%d: %u of %d", i, f.backends[i].flows, n);
		}
	}
	for (int i = 0; i < 5; i++)
		ck_assert_uint_eq(f.backends[i].flows, 5 * weights[i]);
}
END_TEST

/* Flows that end at once leave all equal: then they take turns. */
START_TEST(equals_take_turns)
{
	struct fixture f;
	int seen[N_MAX];

	for (int weighted = 0; weighted <= 1; weighted++) {
		make(&f, weighted ? SCHED_WLC : SCHED_LC, 5, NULL);
		f.backends[2].up = false;
		pick_many(&f, 400, seen);
		for (int i = 0; i < 5; i++)
			ck_assert_int_eq(seen[i], i == 2 ? 0 : 100);
	}
}
END_TEST

/* After k of 8 parts of it, the one that came back counts as k/8 of it. */
START_TEST(wlc_fills_a_ramping_backend_by_its_share)
{
	struct fixture f;

	make_recovered(&f, SCHED_WLC, 3, (const unsigned[]){4, 1, 3});
	for (unsigned k = 1; k <= 8; k++) {
		ramp_to(&f, k);
		for (int i = 0; i < 3; i++)
			f.backends[i].flows = 0;
		for (int i = 0; i < 800; i++)
			f.backends[pick(&f)].flows++;
		/* 4k/8 : 1 : 3 of 800 */
		ck_assert_uint_ge(f.backends[0].flows + 2, 800 * k / (k + 8));
		ck_assert_uint_le(f.backends[0].flows, 800 * k / (k + 8) + 2);
		ck_assert_uint_le(f.backends[2].flows,
				  3 * f.backends[1].flows + 3);
		ck_assert_uint_ge(f.backends[2].flows + 3,
				  3 * f.backends[1].flows);
	}
}
END_TEST

/* ------------------------------------------------------------- p2c */

/* Two of three: the busiest is never taken, the idlest in 2 of 3 cases. */
START_TEST(p2c_takes_the_better_of_two_at_random)
{
	struct fixture f;
	int seen[N_MAX];

	make(&f, SCHED_P2C, 3, NULL);
	f.backends[0].flows = 7;
	f.backends[1].flows = 8;
	f.backends[2].flows = 9;
	pick_many(&f, 30000, seen);
	ck_assert_int_eq(seen[2], 0);
	ck_assert_int_ge(seen[0], 19500);
	ck_assert_int_le(seen[0], 20500);
}
END_TEST

/* All alike: by chance, so nearly the same. */
START_TEST(p2c_tosses_a_coin_between_equals)
{
	struct fixture f;
	int seen[N_MAX];

	make(&f, SCHED_P2C, 4, NULL);
	pick_many(&f, 40000, seen);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_ge(seen[i], 9600); /* 4.6 standard deviations */
		ck_assert_int_le(seen[i], 10400);
	}
}
END_TEST

/* The known bound: the most is within a few of the mean, whatever n. */
START_TEST(p2c_keeps_flows_that_stay_close_together)
{
	static const unsigned sizes[] = {2, 3, 10, 64, 256};
	struct fixture f;

	for (unsigned k = 0; k < ARRAY_LEN(sizes); k++) {
		make(&f, SCHED_P2C, sizes[k], NULL);
		for (unsigned i = 0; i < 100 * sizes[k]; i++)
			f.backends[pick(&f)].flows++;
		for (unsigned i = 0; i < sizes[k]; i++) {
			ck_assert_uint_le(f.backends[i].flows, 104);
			ck_assert_uint_ge(f.backends[i].flows, 90);
		}
	}
}
END_TEST

START_TEST(p2c_fills_by_weight)
{
	struct fixture f;

	/* Of two both are always looked at. */
	make(&f, SCHED_P2C, 2, (const unsigned[]){3, 1});
	for (int i = 0; i < 400; i++)
		f.backends[pick(&f)].flows++;
	ck_assert_uint_ge(f.backends[0].flows, 298);
	ck_assert_uint_le(f.backends[0].flows, 302);
}
END_TEST

START_TEST(p2c_prefers_who_answers_faster)
{
	struct fixture f;

	make(&f, SCHED_P2C, 2, NULL);
	f.backends[0].handshake_ns = 400 * 1024;
	f.backends[1].handshake_ns = 100 * 1024;
	for (int i = 0; i < 500; i++)
		f.backends[pick(&f)].flows++;
	ck_assert_uint_ge(f.backends[0].flows, 98);
	ck_assert_uint_le(f.backends[0].flows, 102);
}
END_TEST

/* As fast as the fastest other one: it gets flows, and so a figure. */
START_TEST(p2c_takes_an_unmeasured_backend_for_a_fast_one)
{
	struct fixture f;

	make(&f, SCHED_P2C, 3, NULL);
	f.backends[0].handshake_ns = 100 * 1024;
	f.backends[1].handshake_ns = 300 * 1024;
	for (int i = 0; i < 6000; i++)
		f.backends[pick(&f)].flows++;
	ck_assert_uint_ge(f.backends[2].flows + 30, f.backends[0].flows);
	ck_assert_uint_le(f.backends[2].flows, f.backends[0].flows + 30);
	ck_assert_uint_gt(f.backends[2].flows, 2 * f.backends[1].flows);
}
END_TEST

/*
 * It was slow once, a thousand times slower, and gets nothing while no flow
 * stays at the other. Nobody would ever see that it is fast again.
 */
START_TEST(p2c_forgets_what_was_long_ago)
{
	struct fixture f;
	int seen[N_MAX];

	make(&f, SCHED_P2C, 2, NULL);
	f.now_ns = 1000 * NS_PER_S;
	f.backends[0].handshake_ns = 200 * NS_PER_MS;
	f.backends[1].handshake_ns = 200 * 1024;
	f.backends[0].handshake_at_ns = f.now_ns;
	for (int s = 0; s < 60; s++, f.now_ns += NS_PER_S) {
		f.backends[1].handshake_at_ns = f.now_ns;
		pick_many(&f, 100, seen);
		ck_assert_int_eq(seen[0], 0);
	}
	f.now_ns += 60 * NS_PER_S;
	f.backends[1].handshake_at_ns = f.now_ns;
	pick_many(&f, 100, seen);
	ck_assert_int_ge(seen[0], 30);
}
END_TEST

/* The largest figures there are do not overflow. */
START_TEST(p2c_holds_at_the_limits)
{
	struct fixture f;

	make(&f, SCHED_P2C, 2, (const unsigned[]){256, 1});
	f.backends[0].flows = FLOWS_MAX - 1;
	f.backends[0].handshake_ns = f.backends[1].handshake_ns = UINT64_MAX;
	f.backends[1].flows = FLOWS_MAX / 256 - 2;
	ck_assert_int_eq(pick(&f), 1);
	f.backends[1].flows = FLOWS_MAX / 256;
	ck_assert_int_eq(pick(&f), 0);
}
END_TEST

START_TEST(p2c_gives_a_ramping_backend_its_share)
{
	struct fixture f;

	make_recovered(&f, SCHED_P2C, 2, NULL);
	for (unsigned k = 1; k <= 8; k++) {
		ramp_to(&f, k);
		f.backends[0].flows = f.backends[1].flows = 0;
		for (int i = 0; i < 900; i++)
			f.backends[pick(&f)].flows++;
		ck_assert_uint_ge(f.backends[0].flows + 2, 900 * k / (k + 8));
		ck_assert_uint_le(f.backends[0].flows, 900 * k / (k + 8) + 2);
	}
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{lc_takes_the_one_with_fewest_flows, 0},
		{lc_spreads_flows_evenly, 0},
		{lc_gives_a_recovered_backend_no_burst, 0},
		{lc_fills_a_ramping_backend_by_its_share, 0},
		{wlc_takes_the_one_with_fewest_flows_for_its_weight, 0},
		{wlc_fills_by_weight, 0},
		{equals_take_turns, 0},
		{wlc_fills_a_ramping_backend_by_its_share, 0},
		{p2c_takes_the_better_of_two_at_random, 0},
		{p2c_tosses_a_coin_between_equals, 0},
		{p2c_keeps_flows_that_stay_close_together, 0},
		{p2c_fills_by_weight, 0},
		{p2c_prefers_who_answers_faster, 0},
		{p2c_takes_an_unmeasured_backend_for_a_fast_one, 0},
		{p2c_forgets_what_was_long_ago, 0},
		{p2c_holds_at_the_limits, 0},
		{p2c_gives_a_ramping_backend_its_share, 0},
	};

	return unit_run("sched_load", tests, ARRAY_LEN(tests));
}
