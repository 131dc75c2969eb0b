/* SPDX-License-Identifier: MIT */
/*
 * Whole histories, one seed each (see world.h). A failure names the seed and
 * the step; `sim_run --seed S --trace` shows it line by line.
 */
#include "cases.h"
#include "totals.h"
#include "unit.h"

/* Twenty seconds on one core; `make sim` runs as many as one likes. */
#define BATCHES	      8
#define SEEDS_A_BATCH 60 /* everything happens in some of them */

static void run_seed(uint64_t seed, struct stats *sum)
{
	struct world *w = world_new(seed, false);
	const char *broken = world_run(w);

	unit_check(!broken, "seed %" PRIu64 ", step %" PRIu64 ": %s", seed,
		   w->step, broken);
	totals_add(sum, &w->stats);
	world_free(w);
}

/* Also that the histories are not harmless: all kinds of things happen. */
START_TEST(rules_hold_whatever_the_network_does)
{
	const uint64_t first = 1000000 + (uint64_t)_i * SEEDS_A_BATCH;
	struct stats sum = {0};

	for (unsigned i = 0; i < SEEDS_A_BATCH; i++)
		run_seed(first + i, &sum);
	printf("batch %d: %" PRIu64 " steps, %" PRIu64 " connections, %" PRIu64
	       " clean\n",
	       _i, sum.steps, sum.established, sum.clean);
	fflush(stdout);
	ck_assert_uint_ge(sum.established, SEEDS_A_BATCH * 10);
	ck_assert_uint_ge(sum.clean, SEEDS_A_BATCH * 5);
	ck_assert_uint_ge(sum.steps, SEEDS_A_BATCH * 1000);
	ck_assert_uint_gt(sum.forged, 0);
	ck_assert_uint_gt(sum.changes, SEEDS_A_BATCH);
	ck_assert_uint_gt(sum.freed, 0);
	ck_assert_uint_gt(sum.restarts, 0);
	ck_assert_uint_gt(sum.redispatched, 0);
	ck_assert_uint_gt(sum.repaired, 0);
	ck_assert_uint_gt(sum.recycled, 0);
	ck_assert_uint_gt(sum.expired, 0);
	ck_assert_uint_gt(sum.reset, 0);
}
END_TEST

START_TEST(a_seed_that_broke_a_rule_does_not_any_more)
{
	struct stats sum = {0};

	run_seed(cases[_i].seed, &sum);
}
END_TEST

START_TEST(a_seed_is_the_same_history_every_time)
{
	struct stats one = {0}, two = {0};

	run_seed((uint64_t)_i + 1, &one);
	run_seed((uint64_t)_i + 1, &two);
	ck_assert_mem_eq(&one, &two, sizeof(one));
}
END_TEST

/* Of @n counters; those of which nothing is to be seen here are not 0. */
static unsigned count_missing(const uint64_t *counters, int n)
{
	unsigned missing = 0;

	for (int i = 0; i < n; i++)
		missing += counters[i] == 0;
	return missing;
}

START_TEST(every_reason_to_drop_and_to_end_is_reached)
{
	static const enum drop_reason io[] = {DROP_MARTIAN, DROP_NO_ROUTE,
					      DROP_TOO_BIG, DROP_SEND_FULL,
					      DROP_SEND_FAILED};
	struct stats sum = {0};
	unsigned seed = 0;

	for (unsigned i = 0; i < ARRAY_LEN(io); i++)
		sum.dropped[io[i]] = 1;
	sum.ended[FLOW_END_NONE] = 1;
	do
		run_seed(++seed, &sum);
	while (seed < 300 && count_missing(sum.dropped, DROP_REASONS) +
				     count_missing(sum.ended, FLOW_ENDS));
	for (int i = 0; i < DROP_REASONS; i++)
		ck_assert_msg(sum.dropped[i], "nothing was dropped for %s",
			      drop_name((enum drop_reason)i));
	for (int i = 0; i < FLOW_ENDS; i++)
		ck_assert_msg(sum.ended[i], "no flow ended for %s",
			      flow_end_name((enum flow_end)i));
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{rules_hold_whatever_the_network_does, BATCHES},
		{a_seed_that_broke_a_rule_does_not_any_more, ARRAY_LEN(cases)},
		{a_seed_is_the_same_history_every_time, 3},
		{every_reason_to_drop_and_to_end_is_reached, 1},
	};

	return unit_run("sim", tests, ARRAY_LEN(tests));
}
