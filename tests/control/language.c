/* SPDX-License-Identifier: MIT */
/*
 * language.c - what holds for any configuration and any command
 */
#include "control/command.h"
#include "control/config_keys.h"
#include "control/diff.h"
#include "random_config.h"
#include "unit.h"

#define ROUNDS 400

/* Applies each line of @text; aborts if one is refused. */
static void apply_all(struct config *c, const char *text,
		      int (*apply)(struct config *c, const char *line,
				   struct err *err))
{
	const char *rest = text;
	char line[COMMAND_MAX + 2];
	struct err err;

	while (text_next_line(&rest, line, sizeof(line)))
		if (apply(c, line, &err))
			ck_abort_msg("%s: %s\nof\n%s", line, err.text, text);
	if (command_check(c, &err))
		ck_abort_msg("%s\nafter\n%s", err.text, text);
}

static void check_fixed_keys(const struct config *a, const struct config *b)
{
	for (unsigned i = 0; i < keys_global.n; i++) {
		struct text x = {0}, y = {0};

		key_print(&keys_global.keys[i], a, NULL, &x);
		key_print(&keys_global.keys[i], b, NULL, &y);
		ck_assert_str_eq(text_get(&x), text_get(&y));
		text_free(&x);
		text_free(&y);
	}
}

START_TEST(a_configuration_can_be_printed_and_read_back)
{
	struct random r = unit_random(__func__);

	for (int i = 0; i < ROUNDS; i++) {
		struct config c = random_config(&r), again;
		struct text first = {0}, second = {0};
		const char *what;
		struct err err;

		ck_assert_int_eq(config_print(&c, &first), 0);
		ck_assert_int_eq(config_init(&again, &err), 0);
		/* The name comes from the first service of the start. */
		strcpy(again.name, c.name);
		apply_all(&again, text_get(&first), command_load);
		what = config_difference(&c, &again);
		ck_assert_msg(!what, "%s differs after\n%s", what,
			      text_get(&first));
		check_fixed_keys(&c, &again);
		ck_assert_uint_eq(c.next_id, again.next_id);
		ck_assert_int_eq(config_print(&again, &second), 0);
		ck_assert_str_eq(text_get(&first), text_get(&second));
		text_free(&first);
		text_free(&second);
		config_free(&c);
		config_free(&again);
	}
}
END_TEST

START_TEST(a_difference_leads_from_one_to_the_other)
{
	struct random r = unit_random(__func__);

	for (int i = 0; i < ROUNDS; i++) {
		struct config from = random_config(&r), to = random_config(&r);
		struct text diff = {0}, none = {0};
		const char *what;

		ck_assert_int_eq(diff_print(&from, &to, &diff), 0);
		apply_all(&from, text_get(&diff), command_apply);
		what = config_difference(&from, &to);
		ck_assert_msg(!what, "%s differs after\n%s", what,
			      text_get(&diff));
		ck_assert_uint_ge(from.next_id, to.next_id);
		ck_assert_int_eq(diff_print(&from, &to, &none), 0);
		ck_assert_str_eq(text_get(&none), "");
		text_free(&diff);
		text_free(&none);
		config_free(&from);
		config_free(&to);
	}
}
END_TEST

/* A single command and its way back: no line is written without need. */
START_TEST(a_difference_is_short)
{
	struct random r = unit_random(__func__);
	unsigned applied = 0;

	for (int i = 0; i < ROUNDS; i++) {
		struct config from = random_config(&r), to;
		char line[RANDOM_COMMAND_MAX];
		struct text diff = {0};
		struct err err;

		ck_assert_int_eq(config_copy(&to, &from), 0);
		random_command(&r, &to, line);
		if (command_apply(&to, line, &err) == 0) {
			unsigned n = 0;

			ck_assert_int_eq(diff_print(&from, &to, &diff), 0);
			for (const char *c = text_get(&diff); *c; c++)
				n += *c == '\n';
			ck_assert_msg(n <= 1, "%s became\n%s", line,
				      text_get(&diff));
			applied++;
		}
		text_free(&diff);
		config_free(&from);
		config_free(&to);
	}
	ck_assert_uint_gt(applied, ROUNDS / 4);
}
END_TEST

static bool is_same(const struct config *a, const struct config *b)
{
	if (a->n_services != b->n_services || a->next_id != b->next_id ||
	    config_difference(a, b))
		return false;
	for (unsigned i = 0; i < a->n_services; i++) {
		const struct service_config *s = &a->services[i];
		const struct service_config *t = &b->services[i];

		if (s->slot != t->slot || s->leaves != t->leaves ||
		    s->n_backends != t->n_backends)
			return false;
		for (unsigned k = 0; k < s->n_backends; k++)
			if (memcmp(&s->backends[k], &t->backends[k],
				   sizeof(*s->backends)) != 0)
				return false;
	}
	return true;
}

START_TEST(a_refused_command_changes_nothing)
{
	struct random r = unit_random(__func__);
	unsigned refused = 0;

	for (int i = 0; i < ROUNDS; i++) {
		struct config c = random_config(&r), before;
		char line[RANDOM_COMMAND_MAX + 16];
		struct err err;

		ck_assert_int_eq(config_copy(&before, &c), 0);
		random_command(&r, &c, line);
		/* Behind what is right, something is wrong. */
		if (random_below(&r, 2))
			strcat(line, " fall=0");
		if (command_apply(&c, line, &err)) {
			ck_assert_msg(is_same(&before, &c), "%s", line);
			refused++;
		}
		config_free(&c);
		config_free(&before);
	}
	ck_assert_uint_gt(refused, ROUNDS / 4);
}
END_TEST

/* The longest line that a configuration can need is a command, too. */
START_TEST(the_longest_values_can_be_printed)
{
	struct text text = {0}, out = {0};
	struct config c, again;
	const char *rest;
	char line[4096];
	struct err err;

	text_add(&text,
		 "[service a]\nlisten = 10.0.0.1:80\n"
		 "backend = 10.0.0.2:80\nfall=7\nrise=8\n"
		 "check = http GET /%0198d expect ",
		 0);
	for (unsigned s = 100; s <= 599; s += 2)
		text_add(&text, "%u,", s);
	text_add(&text, "101\nsource = ");
	for (unsigned s = 1; s <= CONFIG_SOURCES_MAX; s++)
		text_add(&text, "100.100.100.1%02u ", s);
	text_add(&text, "\n");
	ck_assert_int_eq(config_parse(&c, "t", text_get(&text), &err), 0);
	ck_assert_int_eq(config_print(&c, &out), 0);
	rest = text_get(&out);
	while (text_next_line(&rest, line, sizeof(line)))
		ck_assert_uint_le(strlen(line), COMMAND_MAX);
	ck_assert_int_eq(config_init(&again, &err), 0);
	apply_all(&again, text_get(&out), command_load);
	ck_assert_ptr_null(config_difference(&c, &again));
	text_free(&text);
	text_free(&out);
	config_free(&c);
	config_free(&again);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_configuration_can_be_printed_and_read_back, 0},
		{a_difference_leads_from_one_to_the_other, 0},
		{a_difference_is_short, 0},
		{a_refused_command_changes_nothing, 0},
		{the_longest_values_can_be_printed, 0},
	};

	return unit_run("language", tests, ARRAY_LEN(tests));
}
