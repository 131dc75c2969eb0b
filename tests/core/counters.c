/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "core/counters.h"
#include "core/time.h"
#include "unit.h"

/* The bounds that metrics promise, in microseconds. */
static const uint64_t bounds_us[] = {
	100,   250,    500,    1000,   2500,	5000,	 10000,	  25000,
	50000, 100000, 250000, 500000, 1000000, 2500000, 5000000,
};

static unsigned bucket_of(uint64_t ns)
{
	struct histogram h = {.sum_ns = 0};
	unsigned at = HISTOGRAM_BUCKETS;

	histogram_add(&h, ns);
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		if (!h.count[i])
			continue;
		ck_assert_uint_eq(h.count[i], 1);
		ck_assert_uint_eq(at, HISTOGRAM_BUCKETS);
		at = i;
	}
	ck_assert_uint_eq(h.sum_ns, ns);
	return at;
}

START_TEST(a_bound_is_the_last_of_its_bucket)
{
	ck_assert_uint_eq(ARRAY_LEN(bounds_us), HISTOGRAM_BUCKETS - 1);
	for (unsigned i = 0; i < ARRAY_LEN(bounds_us); i++) {
		const uint64_t ns = bounds_us[i] * NS_PER_US;

		ck_assert_uint_eq(histogram_bound_ns(i), ns);
		ck_assert_uint_eq(bucket_of(ns - 1), i);
		ck_assert_uint_eq(bucket_of(ns), i);
		ck_assert_uint_eq(bucket_of(ns + 1), i + 1);
	}
}
END_TEST

START_TEST(the_first_and_the_last_bucket_take_the_rest)
{
	ck_assert_uint_eq(bucket_of(0), 0);
	ck_assert_uint_eq(bucket_of(3600 * NS_PER_S), HISTOGRAM_BUCKETS - 1);
	ck_assert_uint_eq(bucket_of(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
	ck_assert_uint_eq(histogram_bound_ns(HISTOGRAM_BUCKETS - 1),
			  UINT64_MAX);
}
END_TEST

START_TEST(a_histogram_adds_up)
{
	struct histogram h = {.sum_ns = 0};
	uint64_t sum = 0;

	ck_assert_uint_eq(histogram_total(&h), 0);
	for (uint64_t ns = 1; ns < 20 * NS_PER_S; ns *= 3) {
		histogram_add(&h, ns);
		sum += ns;
	}
	ck_assert_uint_eq(histogram_total(&h), 22);
	ck_assert_uint_eq(h.sum_ns, sum);
}
END_TEST

/* A word each, as labels and log lines need it. */
static void check_name(const char *name)
{
	ck_assert_uint_gt(strlen(name), 0);
	ck_assert_uint_eq(strspn(name, "abcdefghijklmnopqrstuvwxyz-"),
			  strlen(name));
}

START_TEST(each_end_and_each_failure_has_a_name_of_its_own)
{
	for (int i = 0; i < FLOW_ENDS; i++) {
		check_name(flow_end_name((enum flow_end)i));
		for (int k = 0; k < i; k++)
			ck_assert_str_ne(flow_end_name((enum flow_end)i),
					 flow_end_name((enum flow_end)k));
	}
	for (int i = 0; i < BACKEND_FAILURES; i++) {
		const enum backend_failure kind = (enum backend_failure)i;

		check_name(backend_failure_name(kind));
		for (int k = 0; k < i; k++)
			ck_assert_str_ne(
				backend_failure_name(kind),
				backend_failure_name((enum backend_failure)k));
	}
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_bound_is_the_last_of_its_bucket, 0},
		{the_first_and_the_last_bucket_take_the_rest, 0},
		{a_histogram_adds_up, 0},
		{each_end_and_each_failure_has_a_name_of_its_own, 0},
	};

	return unit_run("counters", tests, ARRAY_LEN(tests));
}
