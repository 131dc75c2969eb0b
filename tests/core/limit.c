/* SPDX-License-Identifier: MIT */
/* limit.c - the token bucket */
#include "core/limit.h"
#include "unit.h"

#define S  1000000000ull
#define T0 (1000 * S)

static unsigned allowed(struct limit *l, uint64_t now_ns, unsigned tries)
{
	unsigned n = 0;

	while (tries--)
		n += limit_allow(l, now_ns);
	return n;
}

START_TEST(burst_is_allowed_at_once_and_not_one_more)
{
	struct limit l;

	limit_init(&l, 10, 5);
	ck_assert_uint_eq(allowed(&l, T0, 100), 5);
	ck_assert_uint_eq(allowed(&l, T0, 100), 0);
}
END_TEST

START_TEST(afterwards_one_comes_back_each_interval)
{
	struct limit l;

	limit_init(&l, 10, 5);
	allowed(&l, T0, 100);
	ck_assert_uint_eq(allowed(&l, T0 + S / 10 - 1, 9), 0);
	ck_assert_uint_eq(allowed(&l, T0 + S / 10, 9), 1);
	ck_assert_uint_eq(allowed(&l, T0 + S / 10 * 4, 9), 3);
}
END_TEST

START_TEST(unused_tokens_never_exceed_the_burst)
{
	struct limit l;

	limit_init(&l, 10, 5);
	allowed(&l, T0, 100);
	ck_assert_uint_eq(allowed(&l, T0 + 3600 * S, 100), 5);
}
END_TEST

/* Whatever the arrivals, in any span no more than burst + rate * span. */
START_TEST(rate_holds_over_any_span)
{
	struct random r = unit_random(__func__);
	struct limit l;
	uint64_t now = T0;
	unsigned passed = 0;

	limit_init(&l, 100, 20);
	for (int i = 0; i < 100000; i++) {
		now += random_below(&r, 2000000); /* on average 1 ms */
		passed += limit_allow(&l, now);
		ck_assert_uint_le(passed, 20 + (now - T0) * 100 / S + 1);
	}
	ck_assert_uint_ge(passed, (now - T0) * 100 / S);
}
END_TEST

START_TEST(clock_near_its_start_allows_no_more_than_the_burst)
{
	struct limit l;
	unsigned n = 0;

	limit_init(&l, 10, 5);
	for (uint64_t now = 0; now < S; now += S / 100)
		n += limit_allow(&l, now);
	ck_assert_uint_le(n, 15);
	ck_assert_uint_ge(n, 9);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{burst_is_allowed_at_once_and_not_one_more, 0},
		{afterwards_one_comes_back_each_interval, 0},
		{unused_tokens_never_exceed_the_burst, 0},
		{rate_holds_over_any_span, 0},
		{clock_near_its_start_allows_no_more_than_the_burst, 0},
	};

	return unit_run("limit", tests, ARRAY_LEN(tests));
}
