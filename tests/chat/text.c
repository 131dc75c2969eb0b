/* SPDX-License-Identifier: MIT */
/* What may reach a terminal, and what may not. */
#include "text.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define BAD "\xef\xbf\xbd"

static void check_clean(const char *text, size_t len, const char *expected)
{
	char *out = malloc(TEXT_CLEAN_MAX(len) + 1);
	size_t out_len = text_clean(text, len, out);
	bool same = out_len == len && memcmp(out, text, len) == 0;

	ck_assert_uint_le(out_len, TEXT_CLEAN_MAX(len));
	out[out_len] = '\0';
	ck_assert_str_eq(out, expected);
	ck_assert_int_eq(text_is_clean(text, len), same);
	free(out);
}

#define CLEAN(text, expected) check_clean(text, sizeof(text) - 1, expected)

START_TEST(text_of_any_script_passes)
{
	CLEAN("", "");
	CLEAN("plain ~ text\t!", "plain ~ text\t!");
	CLEAN("Xin ch\xc3\xa0o \xed\x95\x9c\xea\xb5\xad",
	      "Xin ch\xc3\xa0o \xed\x95\x9c\xea\xb5\xad");
	CLEAN("e\xcc\x81 \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf",
	      "e\xcc\x81 \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf");
	CLEAN("\xc2\xa0\xe2\x80\xa7\xe2\x80\xaf",
	      "\xc2\xa0\xe2\x80\xa7\xe2\x80\xaf");
}
END_TEST

START_TEST(control_characters_are_removed)
{
	CLEAN("\x1b[31mred\x1b[0m", "[31mred[0m");
	CLEAN("\x1b]0;title\x07", "]0;title");
	CLEAN("a\rb\bc\x7f"
	      "d\0e",
	      "abcde");
	CLEAN("\xc2\x80\xc2\x9b"
	      "2J\xc2\x9f",
	      "2J");
	CLEAN("\xe2\x80\xae"
	      "abc\xe2\x80\xa8\xe2\x81\xa6",
	      "abc");
}
END_TEST

START_TEST(what_is_no_utf8_is_replaced)
{
	CLEAN("\xff", BAD);
	CLEAN("a\x80z", "a" BAD "z");
	CLEAN("\x9b"
	      "2J",
	      BAD "2J");	    /* bare C1 byte */
	CLEAN("\xc0\x9b", BAD BAD); /* overlong ESC */
	CLEAN("\xe0\x80\x9b", BAD BAD BAD);
	CLEAN("\xed\xa0\x80", BAD BAD BAD);	    /* surrogate */
	CLEAN("\xf4\x90\x80\x80", BAD BAD BAD BAD); /* too large */
	CLEAN("\xed\x95", BAD BAD);		    /* cut short */
	CLEAN("\xed\x1b", BAD);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("chat text");
	TCase *all = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, all);
	tcase_add_test(all, text_of_any_script_passes);
	tcase_add_test(all, control_characters_are_removed);
	tcase_add_test(all, what_is_no_utf8_is_replaced);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
