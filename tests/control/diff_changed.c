/* SPDX-License-Identifier: MIT */
/* diff_changed.h says what diff_print() says, for any change. */
#include <time.h>

#include "control/command.h"
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

static void load(struct config *c, const char *line)
{
	struct err err;

	if (command_load(c, line, &err))
		ck_abort_msg("%s: %s", line, err.text);
}

/* As many backends as there can be, all of them with addresses of @net. */
static struct config full_config(unsigned net)
{
	struct config c;
	struct err err;
	char line[128];

	unit_check(config_init(&c, &err) == 0, "no memory");
	for (unsigned i = 0; i < CONFIG_SERVICES_MAX; i++) {
		snprintf(line, sizeof(line),
			 "service add s%u listen=10.0.0.1:%u", i, 1000 + i);
		load(&c, line);
		for (unsigned k = 0; k < CONFIG_BACKENDS_MAX; k++) {
			snprintf(line, sizeof(line),
				 "backend add s%u 10.%u.%u.%u:80", i, net, i,
				 k);
			load(&c, line);
		}
	}
	return c;
}

static uint64_t time_of_diff(const struct config *from, const struct config *to)
{
	struct text out = {.bytes = NULL};
	struct timespec begin, end;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
	unit_check(diff_changed(from, to, &out) == 0, "no memory");
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	ck_assert_uint_gt(out.len, 0);
	text_free(&out);
	return (uint64_t)(end.tv_sec - begin.tv_sec) * 1000000000 +
	       (uint64_t)end.tv_nsec - (uint64_t)begin.tv_nsec;
}

/* Packets wait meanwhile: each must not be compared with all others. */
START_TEST(to_replace_all_costs_little_more_than_to_add_all)
{
	struct config before = full_config(1), after = full_config(2), empty;
	uint64_t added, replaced;
	struct err err;

	unit_check(config_init(&empty, &err) == 0, "no memory");
	added = time_of_diff(&empty, &after);
	replaced = time_of_diff(&before, &after);
	ck_assert_msg(replaced < 20 * added, "%ju ns against %ju ns",
		      (uintmax_t)replaced, (uintmax_t)added);
	config_free(&before);
	config_free(&after);
	config_free(&empty);
}
END_TEST

START_TEST(to_rename_all_costs_little_more_than_to_add_all)
{
	struct config before = full_config(1), after, empty;
	uint64_t added, renamed;
	struct err err;

	unit_check(config_init(&empty, &err) == 0, "no memory");
	unit_check(config_copy(&after, &before) == 0, "no memory");
	for (unsigned i = 0; i < after.n_services; i++)
		for (unsigned k = 0; k < after.services[i].n_backends; k++)
			snprintf(after.services[i].backends[k].id,
				 CONFIG_NAME_MAX, "name%u", k);
	added = time_of_diff(&empty, &before);
	renamed = time_of_diff(&before, &after);
	ck_assert_msg(renamed < 10 * added, "%ju ns against %ju ns",
		      (uintmax_t)renamed, (uintmax_t)added);
	config_free(&before);
	config_free(&after);
	config_free(&empty);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{services_that_are_the_same_make_no_difference, 0},
		{to_replace_all_costs_little_more_than_to_add_all, 0},
		{to_rename_all_costs_little_more_than_to_add_all, 0},
	};

	return unit_run("diff_changed", tests, ARRAY_LEN(tests));
}
