/* SPDX-License-Identifier: MIT */
/* Lines of the log in both formats, and what strangers would put into them. */
#include "core/logline.h"

#include "unit.h"

static struct logline line_of(enum log_format format, enum log_level level)
{
	return (struct logline){
		.format = format,
		.level = level,
		.time_ms = INT64_C(1795935760123),
		.instance = SLICE("pi1"),
	};
}

static void expect(struct writer *w, const char *text)
{
	ck_assert(!w->failed);
	ck_assert_msg(slice_equal(writer_slice(w), slice_of(text)), "%.*s",
		      SLICE_ARG(writer_slice(w)));
	writer_free(w);
}

static const struct {
	const char *text, *plain, *json;
} texts[] = {
	{"closing, clients=4",
	 "2026-11-29T07:02:40.123Z pi1 closing, clients=4\n",
	 "{\"time\":\"2026-11-29T07:02:40.123Z\",\"instance\":\"pi1\","
	 "\"level\":\"notice\",\"message\":\"closing, clients=4\"}\n"},
	{"a\"b\\c\x1b[31m\nforged",
	 "2026-11-29T07:02:40.123Z pi1 "
	 "a\"b\\c[31m forged\n",
	 "{\"time\":\"2026-11-29T07:02:40.123Z\",\"instance\":\"pi1\","
	 "\"level\":\"notice\","
	 "\"message\":\"a\\\"b\\\\c[31m\\nforged\"}\n"},
	{"\xff", "2026-11-29T07:02:40.123Z pi1 \xef\xbf\xbd\n",
	 "{\"time\":\"2026-11-29T07:02:40.123Z\",\"instance\":\"pi1\","
	 "\"level\":\"notice\",\"message\":\"\xef\xbf\xbd\"}\n"},
	{"", "2026-11-29T07:02:40.123Z pi1 -\n",
	 "{\"time\":\"2026-11-29T07:02:40.123Z\",\"instance\":\"pi1\","
	 "\"level\":\"notice\",\"message\":\"\"}\n"},
};

START_TEST(a_text_is_one_line)
{
	for (int json = 0; json < 2; json++) {
		const struct logline l =
			line_of(json ? LOG_JSON : LOG_TEXT, LEVEL_NOTICE);
		struct writer w;

		writer_init(&w, LOGLINE_MAX);
		logline_put(&w, &l, slice_of(texts[_i].text));
		expect(&w, json ? texts[_i].json : texts[_i].plain);
	}
}
END_TEST

START_TEST(a_request_has_its_fields)
{
	const struct logline_request r = {
		.method = SLICE("POST"),
		.path = SLICE("/webhook"),
		.id = SLICE("abc-1"),
		.status = 202,
		.ms = 3,
		.bytes = 345,
	};
	struct logline l = line_of(LOG_TEXT, LEVEL_REQUEST);
	struct writer w;

	writer_init(&w, LOGLINE_MAX);
	logline_put_request(&w, &l, &r);
	expect(&w, "2026-11-29T07:02:40.123Z pi1 request POST /webhook "
		   "status=202 ms=3 bytes=345 id=abc-1\n");
	l.format = LOG_JSON;
	writer_init(&w, LOGLINE_MAX);
	logline_put_request(&w, &l, &r);
	expect(&w, "{\"time\":\"2026-11-29T07:02:40.123Z\",\"instance\":"
		   "\"pi1\",\"level\":\"request\",\"method\":\"POST\","
		   "\"path\":\"/webhook\",\"status\":202,\"ms\":3,"
		   "\"bytes\":345,\"request_id\":\"abc-1\"}\n");
}
END_TEST

START_TEST(a_request_that_could_not_be_read)
{
	const struct logline_request r = {.status = 400, .bytes = 9};
	const struct logline l = line_of(LOG_TEXT, LEVEL_REQUEST);
	struct writer w;

	writer_init(&w, LOGLINE_MAX);
	logline_put_request(&w, &l, &r);
	expect(&w, "2026-11-29T07:02:40.123Z pi1 request - - status=400 ms=0 "
		   "bytes=9 id=-\n");
}
END_TEST

START_TEST(the_longest_line_fits)
{
	static char instance[63], text[5000];
	struct logline_request r = {
		.status = 999, .ms = INT64_MAX, .bytes = SIZE_MAX};
	struct logline l = line_of(LOG_JSON, LEVEL_REQUEST);
	struct writer w;

	/* Each byte becomes three, or two. */
	for (int pass = 0; pass < 2; pass++) {
		memset(instance, '"', sizeof(instance));
		memset(text, pass ? '"' : '\xff', sizeof(text));
		l.instance = (struct slice){instance, sizeof(instance)};
		r.method = r.path = r.id = (struct slice){text, sizeof(text)};
		writer_init(&w, LOGLINE_MAX);
		logline_put(&w, &l, r.path);
		ck_assert(!w.failed);
		writer_free(&w);
		writer_init(&w, LOGLINE_MAX);
		logline_put_request(&w, &l, &r);
		ck_assert(!w.failed);
		writer_free(&w);
	}
}
END_TEST

static const struct {
	const char *id;
	bool valid;
} ids[] = {
	{"a", true},
	{"A-z_0.9", true},
	{"", false},
	{"a b", false},
	{"a\nb", false},
	{"\xc3\xa1", false},
	{"0123456789012345678901234567890123456789012345678901234567890123",
	 true},
	{"01234567890123456789012345678901234567890123456789012345678901234",
	 false},
};

START_TEST(an_id_is_a_word)
{
	ck_assert(logline_id_is_valid(slice_of(ids[_i].id)) == ids[_i].valid);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_text_is_one_line, ARRAY_LEN(texts)},
		{a_request_has_its_fields, 1},
		{a_request_that_could_not_be_read, 1},
		{the_longest_line_fits, 1},
		{an_id_is_a_word, ARRAY_LEN(ids)},
	};

	return unit_run("logline", tests, ARRAY_LEN(tests));
}
