/* SPDX-License-Identifier: MIT */
/* arrivals.c - what came by which interface is told apart, in bounds */
#include "io/arrivals.h"
#include "unit.h"

static struct arrivals a;

static void come(int ifindex, unsigned kind, uint64_t now_ns)
{
	a.now_ns = now_ns;
	arrivals_note(&a, ifindex, kind);
}

START_TEST(each_interface_has_its_counts_and_its_time)
{
	a = (struct arrivals){0};
	ck_assert_uint_eq(arrivals_heard_ns(&a, 2), 0);
	ck_assert_ptr_null(arrivals_find(&a, 2));
	come(2, 0, 10);
	come(2 + ARRIVALS_HINTS, 0, 11); /* of the same hint */
	come(2, 1, 12);
	come(7, 0, 13);
	ck_assert_uint_eq(a.n, 3);
	ck_assert_uint_eq(arrivals_find(&a, 2)->frames[0], 1);
	ck_assert_uint_eq(arrivals_find(&a, 2)->frames[1], 1);
	ck_assert_uint_eq(arrivals_heard_ns(&a, 2), 12);
	ck_assert_uint_eq(arrivals_heard_ns(&a, 2 + ARRIVALS_HINTS), 11);
	ck_assert_uint_eq(arrivals_heard_ns(&a, 7), 13);
	ck_assert(a.fresh);
}
END_TEST

START_TEST(the_most_silent_one_gives_up_its_place)
{
	a = (struct arrivals){0};
	for (int i = 1; i <= ARRIVALS_MAX; i++)
		come(i, 0, (uint64_t)i);
	come(1, 0, 1000);
	come(5000, 0, 1001);
	ck_assert_uint_eq(a.n, ARRIVALS_MAX);
	ck_assert_ptr_null(arrivals_find(&a, 2));
	ck_assert_uint_eq(arrivals_find(&a, 1)->frames[0], 2);
	ck_assert_uint_eq(arrivals_find(&a, 5000)->frames[0], 1);
	/* For ever new ones, as containers' are. */
	for (int i = 6000; i < 106000; i++)
		come(i, 0, 2000 + (uint64_t)i);
	ck_assert_uint_eq(a.n, ARRIVALS_MAX);
	ck_assert_uint_eq(arrivals_find(&a, 105999)->frames[0], 1);
}
END_TEST

/* Whether or not something came before its return was told. */
START_TEST(one_made_anew_goes_on_counting)
{
	a = (struct arrivals){0};
	come(3, 0, 5);
	come(9, 0, 6);
	arrivals_inherit(&a, 4, arrivals_find(&a, 3));
	ck_assert_ptr_null(arrivals_find(&a, 3));
	ck_assert_uint_eq(arrivals_find(&a, 4)->frames[0], 1);
	come(5, 0, 7);
	arrivals_inherit(&a, 5, arrivals_find(&a, 4));
	ck_assert_uint_eq(a.n, 2);
	ck_assert_uint_eq(arrivals_find(&a, 5)->frames[0], 2);
	ck_assert_uint_eq(arrivals_find(&a, 9)->frames[0], 1);
	ck_assert_uint_eq(arrivals_heard_ns(&a, 5), 7);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{each_interface_has_its_counts_and_its_time, 1},
		{the_most_silent_one_gives_up_its_place, 1},
		{one_made_anew_goes_on_counting, 1},
	};

	return unit_run("arrivals", tests, ARRAY_LEN(tests));
}
