/* SPDX-License-Identifier: MIT */
/* events.c - what /lb/events tells of the journal */
#include <errno.h>
#include <jansson.h>

#include "api/events.h"
#include "core/engine.h"
#include "showcase.h"
#include "unit.h"

static struct showcase show;

/* What is answered, as it is parsed; freed by the next call. */
static json_t *ask(const char *since, const char *kind, const char *limit)
{
	static json_t *answer;
	struct events_wanted wanted;
	struct text out = {0};
	struct err err = {""};

	json_decref(answer);
	ck_assert_msg(events_want(since, kind, limit, &wanted, &err) == 0, "%s",
		      err.text);
	events_print(&out, show.reader, show.journal_reader, &wanted);
	answer = json_loads(text_get(&out), JSON_REJECT_DUPLICATES, NULL);
	ck_assert_msg(answer, "no JSON: %s", text_get(&out));
	text_free(&out);
	return answer;
}

static size_t count(const json_t *answer)
{
	return json_array_size(json_object_get(answer, "events"));
}

static json_t *nth(const json_t *answer, size_t i)
{
	return json_array_get(json_object_get(answer, "events"), i);
}

static long long number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static void change(const char *command)
{
	show_event(&show, JOURNAL_OPERATOR, OPERATOR_CHANGED, "uid:0", command);
}

START_TEST(an_event_says_what_where_why_and_by_whom)
{
	json_t *answer, *e;

	showcase_open(&show);
	show_event(&show, JOURNAL_BACKEND, BACKEND_DOWN, "",
		   "no answer, 3 checks");
	change("backend drain \"web\" web1");
	answer = ask(NULL, NULL, NULL);
	ck_assert_uint_eq(count(answer), 2);
	e = nth(answer, 0);
	ck_assert_int_eq(number(e, "seq"), 1);
	ck_assert_str_eq(text(e, "time"), "2027-01-15T09:23:20.000Z");
	ck_assert_str_eq(text(e, "kind"), "backend");
	ck_assert_str_eq(text(e, "what"), "down");
	ck_assert_str_eq(text(e, "service"), "web");
	ck_assert_str_eq(text(e, "backend"), "web1");
	ck_assert_str_eq(text(e, "why"), "no answer, 3 checks");
	ck_assert(json_is_null(json_object_get(e, "by")));
	e = nth(answer, 1);
	ck_assert_str_eq(text(e, "kind"), "operator");
	ck_assert_str_eq(text(e, "what"), "changed");
	ck_assert_str_eq(text(e, "why"), "backend drain \"web\" web1");
	ck_assert_str_eq(text(e, "by"), "uid:0");
	ck_assert_ptr_null(json_object_get(e, "service"));
	showcase_close(&show);
}
END_TEST

START_TEST(who_follows_gets_each_event_once)
{
	unsigned seen = 0;
	char next[24] = "1";

	showcase_open(&show);
	for (unsigned round = 0; round < 5; round++) {
		json_t *answer;

		for (unsigned i = 0; i < 25; i++) {
			change("save");
			show_end_of_flow(&show, i + 1);
		}
		do {
			answer = ask(next, NULL, "10");
			for (size_t i = 0; i < count(answer); i++)
				ck_assert_int_eq(number(nth(answer, i), "seq"),
						 2 * seen++ + 1);
			snprintf(next, sizeof(next), "%lld",
				 number(answer, "next"));
		} while (count(answer) == 10);
		ck_assert_int_eq(number(answer, "lost"), 0);
		ck_assert_uint_eq(seen, 25 * (round + 1));
	}
	showcase_close(&show);
}
END_TEST

START_TEST(without_a_start_the_last_ones_are_told)
{
	json_t *answer;

	showcase_open(&show);
	ck_assert_uint_eq(count(ask(NULL, NULL, NULL)), 0);
	for (unsigned i = 0; i < 7; i++)
		change("save");
	for (unsigned i = 0; i < 3; i++)
		show_end_of_flow(&show, i + 1);
	answer = ask(NULL, NULL, "4");
	ck_assert_uint_eq(count(answer), 4);
	ck_assert_int_eq(number(nth(answer, 0), "seq"), 4);
	ck_assert_int_eq(number(nth(answer, 3), "seq"), 7);
	answer = ask(NULL, NULL, "100");
	ck_assert_uint_eq(count(answer), 7);
	ck_assert_int_eq(number(answer, "next"), 11);
	ck_assert_uint_eq(count(ask(NULL, NULL, "0")), 0);
	showcase_close(&show);
}
END_TEST

START_TEST(kinds_are_chosen)
{
	json_t *answer, *e;

	showcase_open(&show);
	change("save");
	show_end_of_flow(&show, 17);
	answer = ask(NULL, "flow", NULL);
	ck_assert_uint_eq(count(answer), 1);
	e = nth(answer, 0);
	ck_assert_str_eq(text(e, "what"), "ended");
	ck_assert_str_eq(text(e, "why"), "closed");
	ck_assert_str_eq(text(e, "client"), "198.18.0.2:40017");
	ck_assert_str_eq(text(e, "nat"), "198.18.0.1:10257");
	ck_assert_int_eq(number(e, "flow"), 17);
	ck_assert_int_eq(number(json_object_get(e, "c2s"), "bytes"), 212);
	ck_assert_uint_eq(count(ask(NULL, "operator,flow", NULL)), 2);
	ck_assert_uint_eq(count(ask(NULL, "all", NULL)), 2);
	ck_assert_uint_eq(count(ask(NULL, "backend", NULL)), 0);
	showcase_close(&show);
}
END_TEST

START_TEST(what_is_gone_is_counted)
{
	json_t *answer;
	long long first;

	showcase_open(&show);
	for (unsigned i = 0; i < 3 * SHOW_RECORDS; i++)
		change("save");
	answer = ask("5", NULL, "1000");
	first = number(nth(answer, 0), "seq");
	ck_assert_int_gt(first, 2 * SHOW_RECORDS);
	ck_assert_int_eq(number(answer, "lost"), first - 5);
	showcase_close(&show);
}
END_TEST

/* The number that the client has is of an earlier process. */
START_TEST(a_number_to_come_is_of_another_process)
{
	showcase_open(&show);
	change("save");
	change("save");
	ck_assert_uint_eq(count(ask("3", NULL, NULL)), 0);
	ck_assert_uint_eq(count(ask("4", NULL, NULL)), 2);
	ck_assert_uint_eq(count(ask("18446744073709551615", NULL, NULL)), 2);
	showcase_close(&show);
}
END_TEST

START_TEST(wrong_values_are_refused)
{
	static const char *const wrong[][3] = {
		{"", NULL, NULL},
		{"-1", NULL, NULL},
		{"18446744073709551616", NULL, NULL},
		{"1 ", NULL, NULL},
		{NULL, "", NULL},
		{NULL, "backends", NULL},
		{NULL, "flow,", NULL},
		{NULL, NULL, "1001"},
		{NULL, NULL, "+1"},
	};
	struct events_wanted wanted;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		ck_assert_int_eq(events_want(wrong[i][0], wrong[i][1],
					     wrong[i][2], &wanted, &err),
				 -EINVAL);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{an_event_says_what_where_why_and_by_whom, 0},
		{who_follows_gets_each_event_once, 0},
		{without_a_start_the_last_ones_are_told, 0},
		{kinds_are_chosen, 0},
		{what_is_gone_is_counted, 0},
		{a_number_to_come_is_of_another_process, 0},
		{wrong_values_are_refused, 0},
	};

	return unit_run("events", tests, ARRAY_LEN(tests));
}
