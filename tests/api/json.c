/* SPDX-License-Identifier: MIT */
/*
 * json.c - values are written as JSON that a parser reads back
 */
#include <jansson.h>
#include <math.h>

#include "api/json.h"
#include "unit.h"

START_TEST(objects_and_arrays_nest)
{
	struct text t = {0};
	struct json_writer w = json_writer(&t);

	json_put_object(&w, NULL);
	json_put_array(&w, "a");
	json_put_number(&w, NULL, 1);
	json_put_object(&w, NULL);
	json_put_end(&w);
	json_put_array(&w, NULL);
	json_put_end(&w);
	json_put_end(&w);
	json_put_flag(&w, "b", true);
	json_put_flag(&w, "c", false);
	json_put_null(&w, "d");
	json_put_text(&w, "e", NULL);
	json_put_json(&w, "f", "[0]");
	json_put_end(&w);
	ck_assert_str_eq(text_get(&t),
			 "{\"a\":[1,{},[]],\"b\":true,\"c\":false,\"d\":null,"
			 "\"e\":null,\"f\":[0]}");
	text_free(&t);
}
END_TEST

static const struct number {
	uint64_t value;
	const char *text;
} numbers[] = {
	{0, "[0]"},
	{7, "[7]"},
	{10, "[10]"},
	{1ull << 53, "[9007199254740992]"},
	{(1ull << 53) + 1, "[\"9007199254740993\"]"},
	{UINT64_MAX, "[\"18446744073709551615\"]"},
};

START_TEST(numbers_that_a_browser_would_round_are_strings)
{
	struct text t = {0};
	struct json_writer w = json_writer(&t);

	json_put_array(&w, NULL);
	json_put_number(&w, NULL, numbers[_i].value);
	json_put_end(&w);
	ck_assert_str_eq(text_get(&t), numbers[_i].text);
	text_free(&t);
}
END_TEST

static const struct real {
	double value;
	unsigned decimals;
	const char *text;
} reals[] = {
	{0, 3, "[0]"},
	{1, 3, "[1]"},
	{10, 0, "[10]"},
	{100, 2, "[100]"},
	{0.41, 3, "[0.41]"},
	{0.41051, 3, "[0.411]"},
	{-0.0001, 2, "[0]"},
	{-1.5, 2, "[-1.5]"},
	{12.500, 3, "[12.5]"},
	{NAN, 3, "[null]"},
	{INFINITY, 3, "[null]"},
	{-INFINITY, 3, "[null]"},
	{1e300, 3, "[null]"},
	{1e13, 3, "[null]"},
	{9e12, 3, "[9000000000000]"},
	{0.001, 3, "[0.001]"},
	{1.05, 2, "[1.05]"},
	{0.999999, 3, "[1]"},
};

START_TEST(reals_have_no_more_digits_than_needed)
{
	struct text t = {0};
	struct json_writer w = json_writer(&t);

	json_put_array(&w, NULL);
	json_put_real(&w, NULL, reals[_i].value, reals[_i].decimals);
	json_put_end(&w);
	ck_assert_str_eq(text_get(&t), reals[_i].text);
	text_free(&t);
}
END_TEST

/* Any bytes become JSON; what is UTF-8 comes back as it was. */
START_TEST(any_text_is_written_as_json)
{
	struct random r = unit_random(__func__);

	for (int i = 0; i < 20000; i++) {
		char bytes[24];
		const size_t len = random_below(&r, sizeof(bytes));
		struct text t = {0};
		struct json_writer w = json_writer(&t);
		json_error_t why;
		json_t *json;

		for (size_t k = 0; k < len; k++)
			bytes[k] = (char)(1 + random_below(&r, 255));
		bytes[len] = '\0';
		json_put_object(&w, NULL);
		json_put_text(&w, bytes, bytes);
		json_put_end(&w);
		json = json_loads(text_get(&t), 0, &why);
		unit_check(json, "%s: %s", text_get(&t), why.text);
		if (strstr(text_get(&t), "\\ufffd") == NULL)
			unit_check(json_object_get(json, bytes),
				   "%s is not what was written", text_get(&t));
		json_decref(json);
		text_free(&t);
	}
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{objects_and_arrays_nest, 0},
		{numbers_that_a_browser_would_round_are_strings,
		 ARRAY_LEN(numbers)},
		{reals_have_no_more_digits_than_needed, ARRAY_LEN(reals)},
		{any_text_is_written_as_json, 0},
	};

	return unit_run("json", tests, ARRAY_LEN(tests));
}
