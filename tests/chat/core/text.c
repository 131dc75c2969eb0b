/* SPDX-License-Identifier: MIT */
/* Slices, writers, UTF-8, digests: what the rest is written with. */
#include "core/digest.h"
#include "core/json.h"
#include "core/slice.h"
#include "core/utf8.h"
#include "core/writer.h"

#include "unit.h"

static const struct {
	const char *text;
	unsigned long max;
	bool is_number;
	unsigned long number;
} numbers[] = {
	{"0", 0, true, 0},
	{"1", 0, false, 0},
	{"007", 7, true, 7},
	{"65535", 65535, true, 65535},
	{"65536", 65535, false, 0},
	{"655350", 65535, false, 0},
	{"", 9, false, 0},
	{"-1", 9, false, 0},
	{"+1", 9, false, 0},
	{" 1", 9, false, 0},
	{"1 ", 9, false, 0},
	{"1x", 99, false, 0},
	{"99999999999999999999999", 4294967295, false, 0},
};

START_TEST(a_number_is_digits_within_its_limit)
{
	unsigned long number = 0;

	ck_assert(slice_number(slice_of(numbers[_i].text), numbers[_i].max,
			       &number) == numbers[_i].is_number);
	ck_assert_uint_eq(number, numbers[_i].number);
}
END_TEST

START_TEST(a_number_may_need_64_bits)
{
	uint64_t number = 0;

	ck_assert(
		slice_u64(SLICE("18446744073709551615"), UINT64_MAX, &number));
	ck_assert(number == UINT64_MAX);
	ck_assert(
		!slice_u64(SLICE("18446744073709551616"), UINT64_MAX, &number));
}
END_TEST

START_TEST(slices_of_nothing_are_harmless)
{
	const struct slice none = {NULL, 0};

	ck_assert(slice_equal(none, SLICE("")));
	ck_assert(slice_equal_case(none, none));
	ck_assert_uint_eq(slice_trim(none).len, 0);
	ck_assert_uint_eq(slice_from(none, 0).len, 0);
	ck_assert(slice_equal(slice_trim(SLICE(" \t a b\t ")), SLICE("a b")));
	ck_assert_uint_eq(slice_trim(SLICE(" \t ")).len, 0);
	ck_assert(slice_equal_case(SLICE("Upgrade"), SLICE("uPGRADE")));
	ck_assert(!slice_equal_case(SLICE("a"), SLICE("ab")));
}
END_TEST

START_TEST(a_writer_stops_at_its_limit_and_says_so)
{
	struct writer w;

	writer_init(&w, 10);
	writer_put(&w, "12345", 5);
	writer_printf(&w, "%s", "67890");
	ck_assert(!w.failed);
	writer_put(&w, "x", 1);
	ck_assert(w.failed);
	ck_assert(slice_equal(writer_slice(&w), SLICE("1234567890")));
	writer_free(&w);
	ck_assert(!w.failed);
	writer_printf(&w, "%d", 12345678);
	writer_printf(&w, "%d", 901);
	ck_assert(w.failed);
	ck_assert_uint_eq(w.len, 8);
	writer_free(&w);
}
END_TEST

START_TEST(json_strings_are_escaped)
{
	struct writer w;

	writer_init(&w, 1000);
	writer_put_json(&w, (struct slice){"a\"\\\n\t\x01/\xc3\xa9\0z", 11});
	ck_assert(slice_equal(
		writer_slice(&w),
		SLICE("\"a\\\"\\\\\\n\\t\\u0001/\xc3\xa9\\u0000z\"")));
	writer_free(&w);
}
END_TEST

static const struct {
	const char *in, *clean;
	bool valid;
} utf8s[] = {
	{"", "", true},
	{"abc", "abc", true},
	{"ti\xe1\xba\xbfng Vi\xe1\xbb\x87t", "ti\xe1\xba\xbfng Vi\xe1\xbb\x87t",
	 true},
	{"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", true},
	{"a\tb\nc", "a\tb\nc", true},
	{"a\x1b[31mb\r\x7f", "a[31mb", true},
	{"a\xc2\x85z", "az", true},	/* C1 */
	{"a\xe2\x80\xaez", "az", true}, /* right-to-left override */
	{"a\xe2\x81\xa6z", "az", true}, /* isolate */
	{"\xff", "\xef\xbf\xbd", false},
	{"a\xc3", "a\xef\xbf\xbd", false},
	{"\xc3(", "\xef\xbf\xbd(", false},
	{"\x80", "\xef\xbf\xbd", false},
	{"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd", false}, /* overlong / */
	{"\xc1\xbf", "\xef\xbf\xbd\xef\xbf\xbd", false},
	{"\xe0\x80\xaf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", false},
	{"\xf0\x80\x80\xaf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
	 false},
	{"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
	 false}, /* a surrogate */
	{"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
	 false},
	{"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf", true},
	{"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd", false},
};

START_TEST(utf8_is_what_rfc_3629_says)
{
	struct slice in = slice_of(utf8s[_i].in);
	char clean[64];
	size_t len = utf8_clean(in, clean);

	ck_assert(utf8_is_valid(in) == utf8s[_i].valid);
	ck_assert(slice_equal((struct slice){clean, len},
			      slice_of(utf8s[_i].clean)));
	ck_assert(utf8_is_valid((struct slice){clean, len}));
	ck_assert_uint_le(len, UTF8_CLEAN_MAX(in.len));
	while (in.len > 0)
		utf8_next(&in);
}
END_TEST

static void check_hex(const uint8_t *bytes, size_t len, const char *expected)
{
	char hex[2 * DIGEST_SHA256 + 1];

	digest_hex(bytes, len, hex);
	ck_assert_str_eq(hex, expected);
}

/* FIPS 180 and RFC 4231. */
START_TEST(digests_are_those_of_the_standards)
{
	const struct slice parts[] = {SLICE("what do ya want "), SLICE(""),
				      SLICE("for nothing?")};
	uint8_t out[DIGEST_SHA256];

	ck_assert(digest_sha1(SLICE("abc"), out));
	check_hex(out, DIGEST_SHA1, "a9993e364706816aba3e25717850c26c9cd0d89d");
	ck_assert(digest_sha256(SLICE("abc"), out));
	check_hex(out, DIGEST_SHA256,
		  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f"
		  "20015ad");
	ck_assert(digest_hmac_sha256(SLICE("Jefe"), parts, 3, out));
	check_hex(out, DIGEST_SHA256,
		  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b96"
		  "4ec3843");
	ck_assert(digest_equal(SLICE("abc"), SLICE("abc")));
	ck_assert(!digest_equal(SLICE("abc"), SLICE("abd")));
	ck_assert(!digest_equal(SLICE("abc"), SLICE("ab")));
	ck_assert(digest_equal(SLICE(""), (struct slice){NULL, 0}));
}
END_TEST

static const struct {
	const char *text;
	bool valid;
	const char *bytes;
} base64s[] = {
	{"", true, ""},
	{"Zg==", true, "f"},
	{"Zm8=", true, "fo"},
	{"Zm9v", true, "foo"},
	{"Zm9vYg==", true, "foob"},
	{"Zg=", false, NULL},
	{"Zg", false, NULL},
	{"Z===", false, NULL},
	{"=Zg=", false, NULL},
	{" Zg==", false, NULL},
	{"Zg== ", false, NULL},
	{"Zm9v\n", false, NULL},
	{"Z-9v", false, NULL},
	{"====", false, NULL},
};

START_TEST(base64_is_strict)
{
	char bytes[64], text[64];
	size_t len;

	ck_assert(base64_decode(slice_of(base64s[_i].text), bytes, &len) ==
		  base64s[_i].valid);
	if (!base64s[_i].valid)
		return;
	ck_assert(slice_equal((struct slice){bytes, len},
			      slice_of(base64s[_i].bytes)));
	base64_encode(bytes, len, text);
	ck_assert_str_eq(text, base64s[_i].text);
	ck_assert_uint_eq(strlen(text), BASE64_LEN(len));
}
END_TEST

static const struct {
	const char *text;
	bool good;
} jsons[] = {
	{"{}", true},
	{" {\"a\":1} \n", true},
	{"{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}}}", true},
	{"{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}}}}",
	 false},
	{"{\"a\":\"[[[[[[[[[[[[[\"}", true},
	{"{\"a\":\"\\\"[[[[[[[[[[[\"}", true},
	{"", false},
	{"[]", false},
	{"1", false},
	{"{", false},
	{"{}x", false},
	{"{} {}", false},
	{"{\"a\":1,\"a\":2}", false},
	{"{\"a\":\"\\u0000\"}", false},
	{"{\"a\":\"\xff\"}", false},
	{"{'a':1}", false},
	{"{\"a\":01}", false},
	{"{\"a\":1e999}", false},
	{"{\"a\":99999999999999999999}", false},
	{"{\"a\":NaN}", false},
};

START_TEST(json_of_strangers_has_limits)
{
	char why[JSON_WHY_MAX] = "";
	json_t *root = json_read(slice_of(jsons[_i].text), why);

	ck_assert_msg((root != NULL) == jsons[_i].good, "%s: %s",
		      jsons[_i].text, why);
	ck_assert((why[0] == '\0') == jsons[_i].good);
	json_decref(root);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_number_is_digits_within_its_limit, ARRAY_LEN(numbers)},
		{a_number_may_need_64_bits, 1},
		{slices_of_nothing_are_harmless, 1},
		{a_writer_stops_at_its_limit_and_says_so, 1},
		{json_strings_are_escaped, 1},
		{utf8_is_what_rfc_3629_says, ARRAY_LEN(utf8s)},
		{digests_are_those_of_the_standards, 1},
		{base64_is_strict, ARRAY_LEN(base64s)},
		{json_of_strangers_has_limits, ARRAY_LEN(jsons)},
	};

	return unit_run("text", tests, ARRAY_LEN(tests));
}
