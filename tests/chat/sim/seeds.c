/* SPDX-License-Identifier: MIT */
/*
 * Whole histories, one seed each (sim.h). A failure names the seed;
 * L4LB_SEED=N shows it line by line.
 */
#include "sim.h"

#include <time.h>

#include "unit.h"

#define BATCHES	       4
#define SEEDS_A_BATCH  250
#define SEEDS_AT_LEAST 20 /* of a batch, however slow the machine */
#define BATCH_S	       4

static void add(struct stats *sum, const struct stats *one)
{
	uint64_t *to = (uint64_t *)sum;
	const uint64_t *from = (const uint64_t *)one;

	for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
		to[i] += from[i];
}

static void run_seed(uint64_t seed, bool trace, struct stats *sum)
{
	struct world *w = world_new(seed, trace);
	const char *broken = world_run(w);

	unit_check(!broken, "seed %" PRIu64 ", at %" PRId64 " ms: %s", seed,
		   w->now_ms, broken);
	add(sum, &w->stats);
	world_free(w);
}

START_TEST(rules_hold_whatever_the_bus_does)
{
	const uint64_t first = 1000 + (uint64_t)_i * SEEDS_A_BATCH;
	const time_t end = time(NULL) + BATCH_S;
	const char *replay = getenv("L4LB_SEED");
	struct stats sum = {0};
	unsigned ran = 0;

	if (replay) {
		run_seed(strtoull(replay, NULL, 0), true, &sum);
		return;
	}
	while (ran < SEEDS_A_BATCH &&
	       (ran < SEEDS_AT_LEAST || time(NULL) < end))
		run_seed(first + ran++, false, &sum);
	printf("batch %d: %u seeds, %" PRIu64 " messages, %" PRIu64
	       " kills, %" PRIu64 " resumes, %" PRIu64 " gaps\n",
	       _i, ran, sum.messages, sum.kills, sum.resumes, sum.gaps);
	fflush(stdout);
	/* Nothing of this is harmless by chance. */
	ck_assert_uint_ge(sum.messages, ran * 100);
	ck_assert_uint_gt(sum.repeats, 0);
	ck_assert_uint_gt(sum.gaps, 0);
	ck_assert_uint_gt(sum.kills, ran);
	ck_assert_uint_gt(sum.resumes, ran * 10);
	ck_assert_uint_gt(sum.outages, 0);
	ck_assert_uint_gt(sum.losses, 0);
	ck_assert_uint_gt(sum.told, 0);
	ck_assert_uint_gt(sum.identified, 0);
	ck_assert_uint_gt(sum.lagged, 0);
	ck_assert_uint_gt(sum.archived, 0);
	ck_assert_uint_gt(sum.late, 0);
}
END_TEST

START_TEST(a_seed_is_the_same_history_every_time)
{
	struct stats one = {0}, two = {0};

	run_seed((uint64_t)_i + 1, false, &one);
	run_seed((uint64_t)_i + 1, false, &two);
	ck_assert_mem_eq(&one, &two, sizeof(one));
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{rules_hold_whatever_the_bus_does, BATCHES},
		{a_seed_is_the_same_history_every_time, 3},
	};

	return unit_run("chat sim", tests, ARRAY_LEN(tests));
}
