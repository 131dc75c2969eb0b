/* SPDX-License-Identifier: MIT */
/* guard_balance.c - what the guard drops and no capture saw is noticed */
#include "host/guard_count.h"
#include "unit.h"

static struct guard_balance b;

START_TEST(what_is_dropped_and_not_captured_is_lost)
{
	b = (struct guard_balance){0};
	/* It may have dropped for hours, in an earlier process. */
	ck_assert_uint_eq(guard_balance(&b, 5000000, 0), 0);
	ck_assert_uint_eq(guard_balance(&b, 5001000, 1000), 0);
	/* ICMP errors, and what the kernel refused in between */
	ck_assert_uint_eq(guard_balance(&b, 5002000, 3000), 0);
	ck_assert_uint_eq(guard_balance(&b, 5002100, 3050), 50);
	ck_assert_uint_eq(guard_balance(&b, 5002200, 3050), 100);
	ck_assert_uint_eq(b.taken, 2200);
	ck_assert_uint_eq(b.uncaptured, 150);
}
END_TEST

START_TEST(what_is_between_tap_and_guard_is_not)
{
	b = (struct guard_balance){0};
	guard_balance(&b, 0, 0);
	ck_assert_uint_eq(guard_balance(&b, 16, 0), 0);
	ck_assert_uint_eq(guard_balance(&b, 33, 0), 17);
	ck_assert_uint_eq(guard_balance(&b, 3000033, 3000000 - 1000), 0);
}
END_TEST

/* The guard was put up again, the ring opened anew. */
START_TEST(counts_that_begin_anew_are_no_loss)
{
	b = (struct guard_balance){0};
	guard_balance(&b, 7000, 7000);
	ck_assert_uint_eq(guard_balance(&b, 100, 8000), 0);
	ck_assert_uint_eq(guard_balance(&b, 9000, 50), 0);
	ck_assert_uint_eq(guard_balance(&b, 10000, 1050), 0);
	ck_assert_uint_eq(guard_balance(&b, 11000, 1050), 1000);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{what_is_dropped_and_not_captured_is_lost, 1},
		{what_is_between_tap_and_guard_is_not, 1},
		{counts_that_begin_anew_are_no_loss, 1},
	};

	return unit_run("guard_balance", tests, ARRAY_LEN(tests));
}
