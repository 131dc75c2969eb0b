/* SPDX-License-Identifier: MIT */
/*
 * uri.c - what was asked for: split, decoded, or refused with a sentence
 */
#include <errno.h>

#include "api/uri.h"
#include "api/utf8.h"
#include "unit.h"

/* Segments with a blank between them, then ? and name=value for each pair. */
static const struct case_ {
	const char *text, *means;
} cases[] = {
	{"/", ""},
	{"/lb/health", "lb health"},
	{"/;csv", ";csv"},
	{"/lb/backends/198.18.0.1:80/enable",
	 "lb backends 198.18.0.1:80 enable"},
	{"/a%2fb/c%20d", "a/b c d"},
	{"/a+b", "a+b"},
	{"/a/", "a "},
	{"/a?", "a"},
	{"/a?x=1&y=2", "a?x=1?y=2"},
	{"/a?x&&y=", "a?x?y="},
	{"/a?x=1=2", "a?x=1=2"},
	{"/a?age>10m&client=10.0.0.0/8", "a?age>10m?client=10.0.0.0/8"},
	{"/a?age%3E10m", "a?age>10m"},
	{"/a?x=%3D+%2B&%26=%26", "a?x== +?&=&"},
	{"/a?x=/b?c", "a?x=/b?c"},
	{"/%c3%a9", "\xc3\xa9"},
};

START_TEST(a_path_and_a_query_are_decoded)
{
	char means[256] = "";
	struct uri uri;
	struct err err;

	ck_assert_int_eq(uri_parse(&uri, cases[_i].text, &err), 0);
	for (unsigned i = 0; i < uri.n_segments; i++) {
		strcat(means, i ? " " : "");
		strcat(means, uri.segment[i]);
	}
	for (unsigned i = 0; i < uri.n_pairs; i++) {
		strcat(means, "?");
		strcat(means, uri.pair[i].name);
		if (uri.pair[i].value) {
			strcat(means, "=");
			strcat(means, uri.pair[i].value);
		}
	}
	ck_assert_str_eq(means, cases[_i].means);
}
END_TEST

static const struct refusal {
	const char *text, *why;
} refusals[] = {
	{"", "does not begin with a /"},
	{"*", "does not begin with a /"},
	{"http://h/lb", "does not begin with a /"},
	{"/a%", "two hexadecimal digits"},
	{"/a%4", "two hexadecimal digits"},
	{"/a%4g", "two hexadecimal digits"},
	{"/a?x=%", "two hexadecimal digits"},
	{"/a%00b", "zero byte"},
	{"/a%0ab", "control character"},
	{"/a?x=%1b", "control character"},
	{"/a%7f", "control character"},
	{"/%c2%85", "control character"},
	{"/%ff", "no UTF-8"},
	{"/%c0%af", "no UTF-8"},
	{"/%ed%a0%80", "no UTF-8"},
	{"/%f5%80%80%80", "no UTF-8"},
	{"/1/2/3/4/5/6/7/8/9", "more than 8 parts"},
};

START_TEST(what_is_no_address_is_refused_with_a_sentence)
{
	struct uri uri;
	struct err err;

	ck_assert_int_eq(uri_parse(&uri, refusals[_i].text, &err), -EINVAL);
	ck_assert_msg(strstr(err.text, refusals[_i].why), "%s", err.text);
}
END_TEST

START_TEST(limits_are_exact)
{
	char text[URI_MAX + 2];
	struct uri uri;
	struct err err;
	size_t len;

	memset(text, 'a', sizeof(text));
	text[0] = '/';
	text[URI_MAX] = '\0';
	ck_assert_int_eq(uri_parse(&uri, text, &err), 0);
	text[URI_MAX] = 'a';
	text[URI_MAX + 1] = '\0';
	ck_assert_int_eq(uri_parse(&uri, text, &err), -ENAMETOOLONG);

	len = (size_t)sprintf(text, "/?");
	for (int i = 0; i < URI_PAIRS_MAX; i++)
		len += (size_t)sprintf(text + len, "%sx%d=", i ? "&" : "", i);
	ck_assert_int_eq(uri_parse(&uri, text, &err), 0);
	ck_assert_uint_eq(uri.n_pairs, URI_PAIRS_MAX);
	sprintf(text + len, "&y");
	ck_assert_int_eq(uri_parse(&uri, text, &err), -EINVAL);
}
END_TEST

START_TEST(values_are_found_by_their_names)
{
	struct uri uri;
	struct err err;

	ck_assert_int_eq(uri_parse(&uri, "/?a=1&b&a=2", &err), 0);
	ck_assert_str_eq(uri_value(&uri, "a"), "1");
	ck_assert_str_eq(uri_value(&uri, "b"), "");
	ck_assert_ptr_null(uri_value(&uri, "c"));
}
END_TEST

/* Every sequence of up to three bytes, against what RFC 3629 says. */
static size_t length_as_the_rfc_says(const uint8_t *b, size_t n)
{
	if (b[0] <= 0x7f)
		return 1;
	if (n >= 2 && b[0] >= 0xc2 && b[0] <= 0xdf && b[1] >> 6 == 2)
		return 2;
	if (n >= 3 && b[0] >> 4 == 0xe && b[1] >> 6 == 2 && b[2] >> 6 == 2 &&
	    !(b[0] == 0xe0 && b[1] < 0xa0) && !(b[0] == 0xed && b[1] > 0x9f))
		return 3;
	return 0;
}

START_TEST(utf8_is_that_of_the_rfc)
{
	for (unsigned i = 0; i < 1u << 24; i++) {
		const uint8_t b[3] = {(uint8_t)(i >> 16), (uint8_t)(i >> 8),
				      (uint8_t)i};

		for (size_t n = 1; n <= 3; n++)
			unit_check(b[0] >= 0xf0 ||
					   utf8_length((const char *)b, n) ==
						   length_as_the_rfc_says(b, n),
				   "%06x, %zu bytes", i, n);
	}
	ck_assert_uint_eq(utf8_length("\xf0\x9f\x98\x80", 4), 4);
	ck_assert_uint_eq(utf8_length("\xf0\x9f\x98\x80", 3), 0);
	ck_assert_uint_eq(utf8_length("\xf0\x8f\xbf\xbf", 4), 0);
	ck_assert_uint_eq(utf8_length("\xf4\x90\x80\x80", 4), 0);
	ck_assert_uint_eq(utf8_length("", 0), 0);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_path_and_a_query_are_decoded, ARRAY_LEN(cases)},
		{what_is_no_address_is_refused_with_a_sentence,
		 ARRAY_LEN(refusals)},
		{limits_are_exact, 0},
		{values_are_found_by_their_names, 0},
		{utf8_is_that_of_the_rfc, 0},
	};

	return unit_run("uri", tests, ARRAY_LEN(tests));
}
