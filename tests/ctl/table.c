/* SPDX-License-Identifier: MIT */
/*
 * table.c - a table where there is room, and where there is not
 */
#include <stdlib.h>
#include <string.h>

#include "unit.h"
#include "ctl/table.h"

static const struct column columns[] = {
	{"ID", .shrink_to = 4},
	{"ADDRESS", .right = false},
	{"N", .right = true},
	{"MS", .right = true, .drop = 1},
	{"PCT", .right = true, .drop = 2},
};

/* What the two rows look like at @width. Free it. */
static char *laid_out(unsigned width, bool utf8)
{
	struct table *t = table_new(columns, 5, 2, width, utf8);
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	static const char *const cells[] = {
		"backend1", "10.0.0.1:80",  "7",    "0.4ms", "1%",
		"b",	    "10.0.0.21:80", "1234", "-",     "-",
	};

	for (size_t i = 0; i < sizeof(cells) / sizeof(*cells); i++)
		table_cell(t, "%s", cells[i]);
	ck_assert_uint_eq(table_rows(t), 2);
	ck_assert(table_flush(t, out));
	ck_assert_uint_eq(table_rows(t), 0);
	table_free(t);
	fclose(out);
	return text;
}

static void expect(unsigned width, bool utf8, const char *expected)
{
	char *text = laid_out(width, utf8);

	ck_assert_str_eq(text, expected);
	free(text);
}

START_TEST(columns_are_as_wide_as_their_widest_cell)
{
	static const char wide[] =
		"  ID        ADDRESS          N     MS  PCT\n"
		"  backend1  10.0.0.1:80      7  0.4ms   1%\n"
		"  b         10.0.0.21:80  1234      -    -\n";

	expect(0, true, wide);
	expect(80, true, wide);
	expect(42, true, wide);
}
END_TEST

START_TEST(without_room_they_move_closer_then_shrink_then_go)
{
	expect(41, true,
	       "  ID       ADDRESS         N    MS PCT\n"
	       "  backend1 10.0.0.1:80     7 0.4ms  1%\n"
	       "  b        10.0.0.21:80 1234     -   -\n");
	expect(36, true,
	       "  ID     ADDRESS         N    MS PCT\n"
	       "  backe\xe2\x80\xa6 10.0.0.1:80     7 0.4ms  1%\n"
	       "  b      10.0.0.21:80 1234     -   -\n");
	expect(36, false,
	       "  ID     ADDRESS         N    MS PCT\n"
	       "  backe~ 10.0.0.1:80     7 0.4ms  1%\n"
	       "  b      10.0.0.21:80 1234     -   -\n");
	expect(33, false,
	       "  ID   ADDRESS         N    MS\n"
	       "  bac~ 10.0.0.1:80     7 0.4ms\n"
	       "  b    10.0.0.21:80 1234     -\n");
	/* Nothing else may go: the terminal breaks the lines. */
	expect(5, false,
	       "  ID   ADDRESS         N\n"
	       "  bac~ 10.0.0.1:80     7\n"
	       "  b    10.0.0.21:80 1234\n");
}
END_TEST

START_TEST(later_rows_have_the_layout_of_the_first)
{
	struct table *t = table_new(columns, 3, 0, 80, true);
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	table_cell(t, "a");
	table_cell(t, "1.1.1.1:1");
	table_cell(t, "1");
	ck_assert(table_flush(t, out));
	table_cell(t, "long");
	table_cell(t, "1.1.1.1:12345");
	table_cell(t, "2");
	ck_assert(table_flush(t, out));
	fclose(out);
	table_free(t);
	ck_assert_str_eq(text, "ID  ADDRESS    N\n"
			       "a   1.1.1.1:1  1\n"
			       "l\xe2\x80\xa6  1.1.1.1:12345  2\n");
	free(text);
}
END_TEST

START_TEST(parts_of_a_table_have_one_layout)
{
	struct table *t = table_new(columns, 3, 0, 80, true);
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	table_cell(t, "a");
	table_cell(t, "1.1.1.1:1");
	table_cell(t, "1");
	table_cell(t, "long");
	table_cell(t, "1.1.1.1:12345");
	table_cell(t, "2");
	table_part(t, 0, 1, out);
	table_part(t, 1, 7, out);
	fclose(out);
	table_free(t);
	ck_assert_str_eq(text, "ID    ADDRESS        N\n"
			       "a     1.1.1.1:1      1\n"
			       "ID    ADDRESS        N\n"
			       "long  1.1.1.1:12345  2\n");
	free(text);
}
END_TEST

static char *shown(const char *from, unsigned width, unsigned pad, bool utf8)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	table_text(out, from, width, pad, utf8);
	fclose(out);
	return text;
}

START_TEST(text_from_outside_does_nothing_to_a_terminal)
{
	static const struct {
		const char *from;
		unsigned width;
		bool utf8;
		const char *to;
	} cases[] = {
		{"\x1b[2J\r\n\x7f", 0, true, "?[2J???"},
		{"\xc2\x9b"
		 "31m",
		 0, true, "?31m"}, /* C1 */
		{"a\xe2\x80\xae"
		 "b",
		 0, true, "a?b"},		/* right to left */
		{"\xe2\x80\x8b", 0, true, "?"}, /* no width */
		{"\xff\xc3", 0, true, "??"},	/* no UTF-8 */
		{"\xc3\xa9t\xc3\xa9", 0, true, "\xc3\xa9t\xc3\xa9"},
		{"\xc3\xa9t\xc3\xa9", 0, false, "?t?"},
		{"\xc3\xa9t\xc3\xa9s", 3, true, "\xc3\xa9t\xe2\x80\xa6"},
		{"abcd", 3, false, "ab~"},
		{"abc", 3, false, "abc"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *text =
			shown(cases[i].from, cases[i].width, 0, cases[i].utf8);

		ck_assert_str_eq(text, cases[i].to);
		free(text);
	}
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{columns_are_as_wide_as_their_widest_cell, 0},
		{without_room_they_move_closer_then_shrink_then_go, 0},
		{later_rows_have_the_layout_of_the_first, 0},
		{parts_of_a_table_have_one_layout, 0},
		{text_from_outside_does_nothing_to_a_terminal, 0},
	};

	return unit_run("ctl/table", tests, ARRAY_LEN(tests));
}
