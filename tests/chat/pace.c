/* SPDX-License-Identifier: MIT */
/* Who has to wait, and for how long, while somebody is behind. */
#include "pace.h"

#include <check.h>
#include <stdlib.h>

#define BUDGET 32768
#define START  INT64_C(1234567890123)

START_TEST(a_share_may_be_said_at_once)
{
	struct pace_room room = {.budget = BUDGET};
	struct pace one = {0};

	ck_assert_int_eq(pace_wait_us(&room, &one, START), 0);
	for (int i = 0; i < BUDGET / 1024; i++) {
		ck_assert_int_eq(pace_wait_us(&room, &one, START), 0);
		pace_spend(&room, &one, 1024, START);
	}
	ck_assert_int_gt(pace_wait_us(&room, &one, START), 0);
}
END_TEST

/* As long as it is told to wait, and no longer. */
START_TEST(who_waits_says_its_share_in_a_second)
{
	struct pace_room room = {.budget = BUDGET};
	struct pace one = {0};
	int64_t now = START, said = 0;

	while (now < START + 10 * 1000000) {
		int64_t wait = pace_wait_us(&room, &one, now);

		if (wait > 0) {
			now += wait;
			ck_assert_int_eq(pace_wait_us(&room, &one, now), 0);
		}
		pace_spend(&room, &one, 100, now);
		said += 100;
	}
	/* What was saved at the start, and ten seconds. */
	ck_assert_int_ge(said, BUDGET * 11 - 2 * BUDGET / 100);
	ck_assert_int_le(said, BUDGET * 11 + 200);
}
END_TEST

/* Never more than the last piece is to be made up for. */
START_TEST(what_was_said_in_quiet_times_is_forgiven)
{
	struct pace_room room = {.budget = BUDGET};
	struct pace one = {0};

	for (int i = 0; i < 10000; i++)
		pace_spend(&room, &one, 8192, START + i);
	ck_assert_int_le(pace_wait_us(&room, &one, START + 10000),
			 8193 * INT64_C(1000000) / BUDGET + 1);
}
END_TEST

/* All that are unpaced together are no more than what a queue keeps for it. */
START_TEST(all_who_speak_share)
{
	enum { SPEAKERS = 100 };
	struct pace_room room = {.budget = BUDGET};
	struct pace each[SPEAKERS] = {0};
	int64_t said = 0;

	for (int i = 0; i < SPEAKERS; i++)
		pace_spend(&room, &each[i], 1, START);
	for (int i = 0; i < SPEAKERS; i++) {
		while (pace_wait_us(&room, &each[i], START) == 0) {
			pace_spend(&room, &each[i], 10, START);
			said += 10;
		}
	}
	ck_assert_int_gt(said, BUDGET / 2);
	ck_assert_int_le(said, BUDGET + SPEAKERS * 10);

	/* Those who fell silent leave their share to the others. */
	pace_spend(&room, &each[0], 1, START + 3 * 1000000);
	ck_assert_int_eq(pace_wait_us(&room, &each[0], START + 4 * 1000000), 0);
	ck_assert_int_gt(each[0].level, BUDGET / 2);
}
END_TEST

/* More speakers than bytes: still nobody waits for ever. */
START_TEST(the_smallest_share_is_a_byte)
{
	struct pace_room room = {.budget = 10};
	struct pace each[50] = {0};
	int64_t wait;

	for (int i = 0; i < 50; i++)
		pace_spend(&room, &each[i], 5, START);
	wait = pace_wait_us(&room, &each[49], START + 1);
	ck_assert_int_gt(wait, 0);
	ck_assert_int_le(wait, 6 * 1000000 + 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("chat pace");
	TCase *all = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, all);
	tcase_add_test(all, a_share_may_be_said_at_once);
	tcase_add_test(all, who_waits_says_its_share_in_a_second);
	tcase_add_test(all, what_was_said_in_quiet_times_is_forgiven);
	tcase_add_test(all, all_who_speak_share);
	tcase_add_test(all, the_smallest_share_is_a_byte);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
