/* SPDX-License-Identifier: MIT */
/*
 * commands_md.c - the examples of docs/commands.md do what the page says
 */
#include <errno.h>

#include "control/command.h"
#include "control/text.h"
#include "unit.h"

#define FENCE "```"

static struct text page;

static void read_page(void)
{
	FILE *file = fopen(COMMANDS_MD, "r");
	char bytes[4096];
	size_t n;

	ck_assert_msg(file != NULL, "%s: %s", COMMANDS_MD, strerror(errno));
	while ((n = fread(bytes, 1, sizeof(bytes), file)) > 0)
		text_put(&page, bytes, n);
	ck_assert_int_eq(fclose(file), 0);
}

/* The lines of the first block that begins with @fence. */
static void take_block(const char *fence, struct text *out)
{
	const char *rest = text_get(&page);
	bool inside = false;
	char line[512];

	while (text_next_line(&rest, line, sizeof(line))) {
		if (inside && strcmp(line, FENCE) == 0)
			return;
		if (inside)
			text_add(out, "%s\n", line);
		inside |= strcmp(line, fence) == 0;
	}
}

static void run(struct config *c, const char *command, const char *next)
{
	static const char error[] = "error ";
	const bool refused = strncmp(next, error, strlen(error)) == 0;
	struct err err = {""};
	int ret = command_apply(c, command, &err);

	if (refused)
		ck_assert_msg(ret && strcmp(err.text, next + strlen(error)) ==
					      0,
			      "%s: %d, %s", command, ret, err.text);
	else
		ck_assert_msg(ret == 0, "%s: %s", command, err.text);
	ck_assert_msg(command_check(c, &err) == 0, "%s: %s", command, err.text);
}

START_TEST(every_example_is_as_the_page_says)
{
	struct text file = {0};
	const char *rest;
	unsigned commands = 0, refusals = 0;
	char line[512], next[512];
	bool block = false, inside = false;
	struct config c;
	struct err err;

	read_page();
	take_block(FENCE "ini", &file);
	if (config_parse(&c, "commands.md", text_get(&file), &err))
		ck_abort_msg("%s", err.text);
	rest = text_get(&page);
	while (text_next_line(&rest, line, sizeof(line))) {
		const char *peek = rest;

		if (strncmp(line, FENCE, strlen(FENCE)) == 0) {
			block = !block;
			inside = block && strcmp(line, FENCE) == 0;
		}
		if (!inside || strncmp(line, "> ", 2) != 0)
			continue;
		if (!text_next_line(&peek, next, sizeof(next)))
			next[0] = 0;
		run(&c, line + 2, next);
		commands++;
		refusals += strncmp(next, "error ", 6) == 0;
	}
	ck_assert_uint_ge(commands, 30);
	ck_assert_uint_ge(refusals, 8);
	text_free(&file);
	text_free(&page);
	config_free(&c);
}
END_TEST

/* Each form that the program knows is on the page, as its usage says it. */
START_TEST(every_form_is_on_the_page)
{
	static const char *const lines[] = {"set",
					    "service add x",
					    "service set x",
					    "service remove",
					    "backend add x",
					    "backend set x y",
					    "backend enable x",
					    "backend disable x",
					    "backend drain x",
					    "backend remove x"};

	read_page();
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct config c;
		struct err err;
		char *usage;

		ck_assert_int_eq(config_init(&c, &err), 0);
		ck_assert_int_eq(command_apply(&c, lines[i], &err), -EINVAL);
		usage = strstr(err.text, "expected ");
		ck_assert_msg(usage != NULL, "%s: %s", lines[i], err.text);
		usage += strlen("expected ");
		ck_assert_msg(strstr(text_get(&page), usage) != NULL,
			      "commands.md does not have: %s", usage);
		config_free(&c);
	}
	text_free(&page);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{every_example_is_as_the_page_says, 0},
		{every_form_is_on_the_page, 0},
	};

	return unit_run("commands_md", tests, ARRAY_LEN(tests));
}
