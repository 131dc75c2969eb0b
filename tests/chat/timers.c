/* SPDX-License-Identifier: MIT */
/* Deadlines come due in order, against a list that is searched. */
#include "io/timers.h"

#include <check.h>
#include <stdlib.h>

#define COUNT 200
#define STEPS 20000

static struct timer *earliest(struct timer *each)
{
	struct timer *first = NULL;

	for (int i = 0; i < COUNT; i++)
		if (each[i].place && (!first || each[i].due_ms < first->due_ms))
			first = &each[i];
	return first;
}

START_TEST(they_come_due_in_order)
{
	struct timer each[COUNT] = {0};
	struct timers all = {0};
	int64_t now = 1000;

	srand(1);
	ck_assert(timers_reserve(&all, COUNT));
	for (int step = 0; step < STEPS; step++) {
		struct timer *t = &each[rand() % COUNT], *first, *due;

		if (rand() % 4 == 0)
			timers_drop(&all, t);
		else
			timers_set(&all, t, now + rand() % 1000);
		first = earliest(each);
		if (!first) {
			ck_assert_int_eq(timers_wait_ms(&all, now), -1);
			continue;
		}
		if (first->due_ms > now)
			ck_assert_int_eq(timers_wait_ms(&all, now),
					 first->due_ms - now);
		now += rand() % 10;
		while ((due = timers_due(&all, now))) {
			ck_assert_int_eq(due->place, 0);
			ck_assert_int_le(due->due_ms, now);
		}
		first = earliest(each);
		ck_assert(!first || first->due_ms > now);
	}
	timers_free(&all);
}
END_TEST

START_TEST(a_timer_is_moved_and_dropped)
{
	struct timer one = {0}, two = {0};
	struct timers all = {0};

	ck_assert(timers_reserve(&all, 2));
	ck_assert_int_eq(timers_wait_ms(&all, 0), -1);
	timers_set(&all, &one, 10);
	timers_set(&all, &two, 20);
	timers_set(&all, &one, 30);
	ck_assert_int_eq(timers_wait_ms(&all, 0), 20);
	timers_drop(&all, &two);
	timers_drop(&all, &two);
	ck_assert_int_eq(timers_wait_ms(&all, 0), 30);
	ck_assert_ptr_null(timers_due(&all, 29));
	ck_assert_ptr_eq(timers_due(&all, 31), &one);
	ck_assert_int_eq(timers_wait_ms(&all, 0), -1);
	timers_free(&all);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("chat timers");
	TCase *all = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, all);
	tcase_add_test(all, they_come_due_in_order);
	tcase_add_test(all, a_timer_is_moved_and_dropped);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
