/* SPDX-License-Identifier: MIT */
/*
 * overlay_text.c - what was saved is read back, and what is damaged refused
 */
#include <errno.h>

#include "control/overlay_text.h"
#include "random_config.h"
#include "unit.h"

#define HEAD OVERLAY_HEAD "\n"
#define BASE                                         \
	"base service add chat listen=10.0.0.1:80\n" \
	"base backend add chat 10.0.0.2:80\n"

START_TEST(what_was_printed_is_read_back)
{
	struct random r = unit_random(__func__);

	for (int i = 0; i < 300; i++) {
		struct config base = random_file(&r), running, b, c;
		struct text text = {0}, again = {0};
		struct err err;

		ck_assert_int_eq(config_copy(&running, &base), 0);
		random_changes(&r, &running, 12);
		ck_assert_int_eq(overlay_print(&base, &running, &text), 0);
		if (overlay_parse(text_get(&text), &b, &c, &err))
			ck_abort_msg("%s of\n%s", err.text, text_get(&text));
		ck_assert_ptr_null(config_difference(&base, &b));
		ck_assert_ptr_null(config_difference(&running, &c));
		ck_assert_uint_eq(running.next_id, c.next_id);
		ck_assert_str_eq(running.name, c.name);
		ck_assert_int_eq(overlay_print(&b, &c, &again), 0);
		/* The same lines; a slot that was given up may order them. */
		ck_assert_uint_eq(strlen(text_get(&text)),
				  strlen(text_get(&again)));
		text_free(&text);
		text_free(&again);
		config_free(&base);
		config_free(&running);
		config_free(&b);
		config_free(&c);
	}
}
END_TEST

static const struct refusal {
	const char *text, *part;
} refusals[] = {
	{"", "line 1: expected \"l4lb-changes 1\""},
	{"l4lb-changes 2\n" BASE, "line 1: expected"},
	{HEAD, "line 2: no service and no name"},
	{HEAD "base nonsense\n", "line 2: unknown command \"nonsense\""},
	{HEAD BASE "backend drain chat backend9\n",
	 "line 4: service \"chat\" has no backend \"backend9\""},
	{HEAD BASE "service remove chat\nbase set flows=7\n",
	 "line 5: unknown command \"base\""},
	{HEAD BASE "\nset keepalive=5s\n", "line 4: an empty command"},
	{HEAD BASE "set keepalive=24h\n", "keepalive (24h) is too long"},
};

START_TEST(a_damaged_text_is_refused_with_its_line)
{
	const struct refusal *t = &refusals[_i];
	struct config base, running;
	struct err err;

	ck_assert_int_lt(overlay_parse(t->text, &base, &running, &err), 0);
	ck_assert_msg(strstr(err.text, t->part), "expected %s, got %s", t->part,
		      err.text);
	ck_assert_ptr_null(base.services);
	ck_assert_ptr_null(running.services);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{what_was_printed_is_read_back, 0},
		{a_damaged_text_is_refused_with_its_line, ARRAY_LEN(refusals)},
	};

	return unit_run("overlay_text", tests, ARRAY_LEN(tests));
}
