/* SPDX-License-Identifier: MIT */
/*
 * words.c - what a user typed, as a URL, as JSON and as a command
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"
#include "ctl/backend_words.h"
#include "ctl/ctl.h"
#include "ctl/quote.h"
#include "ctl/url.h"

#define WORDS_MAX 16

START_TEST(a_url_escapes_what_is_not_plain)
{
	struct url u;

	url_start(&u, "/lb/backends");
	url_part(&u, "a/b c?%");
	url_part(&u, "weight");
	url_query(&u, "service", "ch&t=\xc3\xa9");
	url_query(&u, "dry_run", "1");
	ck_assert_str_eq(u.text, "/lb/backends/a%2Fb%20c%3F%25/weight"
				 "?service=ch%26t%3D%C3%A9&dry_run=1");
	ck_assert(!u.too_long);
}
END_TEST

START_TEST(a_filter_term_is_a_key_with_or_without_a_value)
{
	static const char *const terms[][2] = {
		{"client=10.0.0.0/8:80", "?client=10.0.0.0%2F8%3A80"},
		{"state=ESTABLISHED,CLOSING", "?state=ESTABLISHED%2CCLOSING"},
		{"age>10m", "?age%3E10m"},
		{"idle<5s", "?idle%3C5s"},
		{"age>=10m", "?age%3E%3D10m"},
		{"rubbish", "?rubbish"},
		{"=", "?="},
		{"a==b", "?a=%3Db"},
	};
	struct url u;

	for (size_t i = 0; i < sizeof(terms) / sizeof(*terms); i++) {
		url_start(&u, "");
		url_term(&u, terms[i][0]);
		ck_assert_str_eq(u.text, terms[i][1]);
	}
}
END_TEST

START_TEST(a_url_that_is_too_long_says_so_and_is_not_cut_within_an_escape)
{
	char word[URL_MAX];
	struct url u;

	memset(word, '/', sizeof(word) - 1);
	word[sizeof(word) - 1] = 0;
	url_start(&u, "");
	url_part(&u, word);
	ck_assert(u.too_long);
	ck_assert_uint_eq(strlen(u.text), u.len);
	ck_assert_uint_lt(u.len, URL_MAX);
	ck_assert_uint_eq(u.len % 3, 1); /* "/", then whole %2F */
	url_start(&u, "/");
	ck_assert(!u.too_long);
}
END_TEST

/* Splits @line at blanks. */
static int read_words(const char *line, bool figure, struct backend_words *w,
		      struct err *err)
{
	static char copy[512];
	char *words[WORDS_MAX], *save = NULL;
	unsigned n = 0;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok_r(copy, " ", &save); word && n < WORDS_MAX;
	     word = strtok_r(NULL, " ", &save))
		words[n++] = word;
	return backend_words(w, words, n, figure, err);
}

START_TEST(words_of_a_backend_may_stand_in_any_order)
{
	struct backend_words w;
	struct err err;
	char *body;

	ck_assert_int_eq(read_words("id=spare chat backup 198.18.0.14:9001 "
				    "weight=2 for=5m",
				    false, &w, &err),
			 CTL_OK);
	ck_assert_str_eq(w.service, "chat");
	ck_assert_str_eq(w.which, "198.18.0.14:9001");
	body = json_dumps(w.body, JSON_SORT_KEYS | JSON_COMPACT);
	ck_assert_str_eq(body, "{\"backup\":true,\"for\":\"5m\","
			       "\"id\":\"spare\",\"weight\":2}");
	free(body);
	json_decref(w.body);
	ck_assert_int_eq(read_words("backend1 2", true, &w, &err), CTL_OK);
	ck_assert_ptr_null(w.service);
	ck_assert_str_eq(w.which, "backend1");
	ck_assert_str_eq(w.figure, "2");
	json_decref(w.body);
}
END_TEST

START_TEST(wrong_words_are_named)
{
	static const char *const wrong[][2] = {
		{"", "expected [SERVICE] ID, not 0 words"},
		{"then=drain", "expected [SERVICE] ID, not 0 words"},
		{"a b c", "expected [SERVICE] ID, not 3 words"},
		{"a b c d", "\"d\" is one word too many"},
		{"a =b", "\"=b\": expected KEY=VALUE"},
		{"a k=\xff", "expected KEY=VALUE"},
	};
	struct backend_words w;
	struct err err;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		ck_assert_int_eq(read_words(wrong[i][0], false, &w, &err),
				 CTL_USAGE);
		ck_assert_ptr_nonnull(strstr(err.text, wrong[i][1]));
		ck_assert_ptr_null(w.body);
	}
	ck_assert_int_eq(read_words("backend1", true, &w, &err), CTL_USAGE);
	ck_assert_str_eq(err.text, "expected [SERVICE] ID N, not 1 words");
}
END_TEST

START_TEST(a_word_is_quoted_as_commands_md_says)
{
	static const char *const words[][2] = {
		{"web", " web"},
		{"", " ''"},
		{"check=http GET /", " 'check=http GET /'"},
		{"check=expect \"OK\"", " 'check=expect \"OK\"'"},
		{"check=expect \"it's\\up\"",
		 " \"check=expect \\\"it's\\\\up\\\"\""},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		char *text = NULL;
		size_t len = 0;
		FILE *out = open_memstream(&text, &len);

		quote_word(out, words[i][0]);
		fclose(out);
		ck_assert_str_eq(text, words[i][1]);
		free(text);
	}
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_url_escapes_what_is_not_plain, 0},
		{a_filter_term_is_a_key_with_or_without_a_value, 0},
		{a_url_that_is_too_long_says_so_and_is_not_cut_within_an_escape,
		 0},
		{words_of_a_backend_may_stand_in_any_order, 0},
		{wrong_words_are_named, 0},
		{a_word_is_quoted_as_commands_md_says, 0},
	};

	return unit_run("ctl/words", tests, ARRAY_LEN(tests));
}
