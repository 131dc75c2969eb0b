/* SPDX-License-Identifier: MIT */
/* Buckets against a slow obvious count; floods; the spread of reconnects. */
#include "core/rate.h"
#include "core/spread.h"

#include "unit.h"

START_TEST(a_burst_passes_then_one_each_interval)
{
	struct rate r = {0};
	int64_t now = 1000;

	for (int i = 0; i < 30; i++)
		ck_assert_int_eq(rate_take(&r, RATE_MESSAGES, now), 0);
	ck_assert_int_eq(rate_take(&r, RATE_MESSAGES, now), 100);
	ck_assert_int_eq(rate_take(&r, RATE_MESSAGES, now + 99), 1);
	ck_assert_int_eq(rate_take(&r, RATE_MESSAGES, now + 100), 0);
	ck_assert_int_eq(rate_take(&r, RATE_MESSAGES, now + 100), 100);
	/* Three seconds later the bucket is full, not fuller. */
	now += 60000;
	for (int i = 0; i < 30; i++)
		ck_assert_int_eq(rate_take(&r, RATE_MESSAGES, now), 0);
	ck_assert_int_gt(rate_take(&r, RATE_MESSAGES, now), 0);
}
END_TEST

/* A bucket as everybody thinks of it: tokens in units of a ms. */
START_TEST(it_is_a_token_bucket)
{
	const struct rate_limit limit = {3, 70};
	struct random random = unit_random(__func__);
	struct rate r = {0};
	int64_t now = 5, level = 3 * 70;

	for (int i = 0; i < 100000; i++) {
		const int64_t pause = (int64_t)(random_next(&random) % 90);
		int64_t wait;

		now += pause;
		level = level + pause < 210 ? level + pause : 210;
		wait = rate_take(&r, limit, now);
		unit_check(wait == (level >= 70 ? 0 : 70 - level),
			   "at %" PRId64 " waits %" PRId64, now, wait);
		if (wait == 0)
			level -= 70;
	}
}
END_TEST

/* What was said in one piece is owed, and made up for. */
START_TEST(a_debt_is_waited_for)
{
	struct rate r = {0};

	for (int i = 1; i < 30; i++)
		ck_assert_int_eq(rate_owe(&r, RATE_MESSAGES, 1000), 0);
	ck_assert_int_eq(rate_owe(&r, RATE_MESSAGES, 1000), 100);
	for (int i = 2; i <= 50; i++)
		ck_assert_int_eq(rate_owe(&r, RATE_MESSAGES, 1000), 100 * i);
	ck_assert_int_eq(rate_take(&r, RATE_MESSAGES, 5999), 1);
	ck_assert_int_eq(rate_take(&r, RATE_MESSAGES, 6000), 0);
}
END_TEST

START_TEST(who_goes_on_for_five_seconds_floods)
{
	struct rate r = {0};
	int64_t now = 1;

	for (int i = 0; i < 30; i++)
		rate_take(&r, RATE_MESSAGES, now);
	for (; now < 5001; now += 10) {
		rate_take(&r, RATE_MESSAGES, now);
		ck_assert(!rate_floods(&r));
	}
	while (rate_take(&r, RATE_MESSAGES, now) == 0)
		continue;
	ck_assert(rate_floods(&r));
	/* A pause of a second begins anew. */
	now += 1000;
	while (rate_take(&r, RATE_MESSAGES, now) == 0)
		continue;
	ck_assert(!rate_floods(&r));
}
END_TEST

START_TEST(reconnects_spread_by_the_number_of_clients)
{
	ck_assert_uint_eq(spread_ms(0), 200);
	ck_assert_uint_eq(spread_ms(200), 200);
	ck_assert_uint_eq(spread_ms(1234), 1234);
	ck_assert_uint_eq(spread_ms(5000), 5000);
	ck_assert_uint_eq(spread_ms(4000000000), 5000);
	ck_assert_uint_eq(spread_pick_ms(2000, 0), 0);
	ck_assert_uint_eq(spread_pick_ms(2000, UINT32_MAX), 1999);
	ck_assert_uint_eq(spread_pick_ms(2000, UINT32_MAX / 2 + 1), 1000);
	ck_assert_uint_eq(spread_pick_ms(0, UINT32_MAX), 0);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_burst_passes_then_one_each_interval, 1},
		{it_is_a_token_bucket, 1},
		{a_debt_is_waited_for, 1},
		{who_goes_on_for_five_seconds_floods, 1},
		{reconnects_spread_by_the_number_of_clients, 1},
	};

	return unit_run("rate", tests, ARRAY_LEN(tests));
}
