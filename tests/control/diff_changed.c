/* SPDX-License-Identifier: MIT */
/* diff_changed.h says what diff_print() says, for any change. */
#include "control/diff_changed.h"
#include "random_config.h"
#include "unit.h"

#define CASES 3000

START_TEST(services_that_are_the_same_make_no_difference)
{
	struct random r = unit_random(__func__);
	unsigned different = 0;

	for (unsigned n = 0; n < CASES; n++) {
		struct config from = random_config(&r), to;
		struct text all = {.bytes = NULL}, some = {.bytes = NULL};

		unit_check(config_copy(&to, &from) == 0, "no memory");
		random_changes(&r, &to, (unsigned)(random_next(&r) % 6));
		unit_check(diff_print(&from, &to, &all) == 0, "no memory");
		unit_check(diff_changed(&from, &to, &some) == 0, "no memory");
		unit_check(strcmp(text_get(&all), text_get(&some)) == 0,
			   "case %u: expected\n%sgot\n%s", n, text_get(&all),
			   text_get(&some));
		different += all.len > 0;
		text_free(&all);
		text_free(&some);
		config_free(&from);
		config_free(&to);
	}
	ck_assert_uint_gt(different, CASES / 4);
	ck_assert_uint_lt(different, CASES);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{services_that_are_the_same_make_no_difference, 0},
	};

	return unit_run("diff_changed", tests, ARRAY_LEN(tests));
}
