/* SPDX-License-Identifier: MIT */
/* Records: their forms, and that a record read back is the same message. */
#include "core/msg.h"
#include "core/json.h"

#include <errno.h>
#include <pthread.h>

#include "unit.h"

#define MID "0a1b2c.abcdefghijklmnop"

static struct msg_fields base(void)
{
	return (struct msg_fields){.id = {1795935354652, 17},
				   .mid = SLICE(MID),
				   .room = SLICE("lobby"),
				   .sender = SLICE("lan"),
				   .text = SLICE("hello"),
				   .instance = SLICE("pi1-9001"),
				   .ts_ms = 1795935760123,
				   .via = MSG_WS,
				   .verified = true};
}

static struct msg *make(const struct msg_fields *f)
{
	struct msg *m;

	ck_assert_int_eq(msg_new(&m, f), 0);
	return m;
}

static void check(struct slice s, const char *expected)
{
	ck_assert_msg(slice_equal(s, slice_of(expected)), "%.*s\nexpected\n%s",
		      SLICE_ARG(s), expected);
}

START_TEST(the_record_is_that_of_the_design)
{
	const struct msg_fields f = base();
	struct msg *m = make(&f);
	static const char json[] =
		"{\"t\":\"message\",\"event\":\"message\","
		"\"id\":\"1795935354652-17\",\"mid\":\"" MID "\","
		"\"room\":\"lobby\",\"roomId\":\"lobby\",\"sender\":\"lan\","
		"\"text\":\"hello\",\"ts\":1795935760123,"
		"\"timestamp\":\"2026-11-29T07:02:40.123Z\","
		"\"instance\":\"pi1-9001\",\"via\":\"ws\",\"verified\":true,"
		"\"metadata\":{\"type\":\"text\"}}";
	struct slice frame = msg_frame(m);

	check(msg_line(m), "[lan] hello\n");
	check(msg_json(m), json);
	check(msg_record(m), json);
	ck_assert_uint_eq(msg_json_line(m).len, sizeof(json));
	ck_assert_int_eq(msg_json_line(m).at[sizeof(json) - 1], '\n');
	/* A frame of 126 to 65535 bytes: 0x81, 126, length. */
	ck_assert_uint_eq(frame.len, 4 + sizeof(json) - 1);
	ck_assert_int_eq(memcmp(frame.at, "\x81\x7e", 2), 0);
	ck_assert_uint_eq((unsigned char)frame.at[2] * 256u +
				  (unsigned char)frame.at[3],
			  sizeof(json) - 1);
	check((struct slice){frame.at + 4, frame.len - 4}, json);
	ck_assert_ptr_eq(msg_json(m).at, frame.at + 4); /* made once */
	msg_unref(m);
}
END_TEST

static const struct {
	enum msg_type type;
	const char *text, *metadata, *line, *event;
} typed[] = {
	{MSG_TEXT, "a", NULL, "[lan] a\n", "message"},
	{MSG_TEXT, "", NULL, "[lan] \n", "message"},
	{MSG_TEXT, "a\nb\n", NULL, "[lan] a\n[lan] b\n[lan] \n", "message"},
	{MSG_TEXT, "a\r\x1b[0m\xe2\x80\xae\xff", NULL,
	 "[lan] a[0m\xef\xbf\xbd\n", "message"},
	{MSG_ACTION, "waves", NULL, "[lan] * waves\n", "message"},
	{MSG_DIRECT, "psst", NULL, "[lan -> bob] psst\n", "message"},
	{MSG_IMAGE, "a cat",
	 "{\"imageUrl\":\"http://x/c\",\"caption\":\"a cat\"}",
	 "[lan] sent an image: http://x/c (a cat)\n", "message:image"},
	{MSG_IMAGE, "", "{\"imageUrl\":\"http://x/c\",\"width\":3}",
	 "[lan] sent an image: http://x/c\n", "message:image"},
	{MSG_FILE, "f\n[bob] x",
	 "{\"fileUrl\":\"http://x/f\",\"fileName\":\"f\\n[bob] x\"}",
	 "[lan] sent a file: http://x/f (f [bob] x)\n", "message:file"},
	{MSG_LOCATION, "", "{\"latitude\":10.762622,\"longitude\":-106}",
	 "[lan] sent a location: 10.76262, -106\n", "message:location"},
	{MSG_AUDIO, "", "{\"audioUrl\":\"http://x/a\",\"duration\":3.5}",
	 "[lan] sent a recording: http://x/a\n", "message:audio"},
};

static struct msg *make_typed(int i)
{
	struct msg_fields f = base();
	json_t *metadata = NULL;
	struct msg *m;

	if (typed[i].metadata)
		metadata = json_loads(typed[i].metadata, 0, NULL);
	f.type = typed[i].type;
	f.text = slice_of(typed[i].text);
	f.metadata = metadata;
	if (f.type == MSG_DIRECT) {
		f.to = SLICE("bob");
		f.room = SLICE("@bob#12345678");
	}
	m = make(&f);
	json_decref(metadata);
	return m;
}

START_TEST(each_type_has_its_line)
{
	struct msg *m = make_typed(_i);
	char why[JSON_WHY_MAX];
	json_t *json = json_read(msg_json(m), why);

	check(msg_line(m), typed[_i].line);
	ck_assert_msg(json != NULL, "%s", why);
	check(json_text(json, "event", NULL), typed[_i].event);
	check(json_text(json_object_get(json, "metadata"), "type", NULL),
	      msg_type_name(typed[_i].type));
	json_decref(json);
	msg_unref(m);
}
END_TEST

static void check_same(struct msg *a, struct msg *b)
{
	ck_assert_int_eq(msgid_compare(a->id, b->id), 0);
	ck_assert(slice_equal(a->mid, b->mid));
	ck_assert(slice_equal(a->to, b->to));
	ck_assert(slice_equal(a->text, b->text));
	ck_assert(slice_equal(a->metadata, b->metadata));
	ck_assert_int_eq(a->type, b->type);
	ck_assert_int_eq(a->via, b->via);
	ck_assert((a->raw.at != NULL) == (b->raw.at != NULL));
	ck_assert(slice_equal(msg_line(a), msg_line(b)));
	ck_assert(slice_equal(msg_json(a), msg_json(b)));
	ck_assert(slice_equal(msg_record(a), msg_record(b)));
}

START_TEST(a_record_read_back_is_the_same)
{
	struct msg *m = make_typed(_i), *again;
	char why[MSG_WHY_MAX];

	ck_assert_int_eq(
		msg_parse(&again, msg_record(m), MSGID_NONE, MSGID_NONE, why),
		0);
	check_same(m, again);
	msg_unref(again);
	msg_unref(m);
}
END_TEST

static const struct {
	const char *line, *text;
	bool raw;
} said[] = {
	{"[lan] hello", "hello", false},
	{"hello", "hello", true},
	{"", "", true},
	{"[lan] \x1b[1m", "[1m", true},
	{"[lan] \xff", "\xef\xbf\xbd", true},
	{"a\tb", "a\tb", true},
	{"[lan]  x", " x", false},
};

START_TEST(a_line_keeps_its_bytes_over_the_bus)
{
	struct slice line = slice_of(said[_i].line);
	struct msg_fields f = base();
	struct msg *m, *again;
	char why[MSG_WHY_MAX];
	size_t prefix = line.len && line.at[0] == '[' ? 6 : 0;

	f.via = MSG_LINE;
	f.raw = line;
	f.text = slice_from(line, prefix);
	m = make(&f);
	ck_assert((m->raw.at != NULL) == said[_i].raw);
	check(m->text, said[_i].text);
	ck_assert_uint_eq(msg_line(m).len, line.len + 1);
	ck_assert_int_eq(memcmp(msg_line(m).at, line.at, line.len), 0);
	ck_assert(!memmem(msg_json(m).at, msg_json(m).len, "\"raw\"", 5));
	ck_assert_int_eq(
		msg_parse(&again, msg_record(m), MSGID_NONE, MSGID_NONE, why),
		0);
	check_same(m, again);
	msg_unref(again);
	msg_unref(m);
}
END_TEST

START_TEST(an_id_comes_later)
{
	const struct msgid id = {9, 1};
	struct msg_fields f = base();
	struct msg *m, *with_id;
	char why[MSG_WHY_MAX];

	f.id = MSGID_NONE;
	f.raw = SLICE("x");
	m = make(&f);
	ck_assert(!memmem(msg_json(m).at, msg_json(m).len, "\"id\"", 4));
	/* The log's word counts before the record's. */
	ck_assert_int_eq(
		msg_parse(&with_id, msg_record(m), id, MSGID_NONE, why), 0);
	ck_assert_int_eq(msgid_compare(with_id->id, id), 0);
	check(msg_line(with_id), "x\n");
	ck_assert(memmem(msg_json(with_id).at, msg_json(with_id).len,
			 "\"id\":\"9-1\"", 10) != NULL);
	msg_unref(with_id);
	msg_unref(m);
}
END_TEST

START_TEST(where_an_epoch_begins_the_record_says_what_was_before)
{
	const struct msgid prev = {9, 4};
	struct msg_fields f = base();
	struct msg *m, *again;
	char why[MSG_WHY_MAX];

	f.prev = prev;
	m = make(&f);
	ck_assert(memmem(msg_record(m).at, msg_record(m).len,
			 "\"prev\":\"9-4\"", 12) != NULL);
	ck_assert_int_eq(
		msg_parse(&again, msg_record(m), MSGID_NONE, MSGID_NONE, why),
		0);
	ck_assert_int_eq(msgid_compare(again->prev, prev), 0);
	check_same(m, again);
	msg_unref(again);
	msg_unref(m);
	f.prev = (struct msgid){f.id.epoch, f.id.seq - 1};
	m = make(&f);
	ck_assert(!memmem(msg_record(m).at, msg_record(m).len, "prev", 4));
	msg_unref(m);
}
END_TEST

static const struct {
	const char *replace, *by;
} spoilt[] = {
	{"{\"t\"", "[\"t\""},
	{"\"mid\":\"" MID "\",", ""},
	{"\"room\":\"lobby\",", ""},
	{"\"sender\":\"lan\",", ""},
	{"\"text\":\"hello\",", ""},
	{"\"text\":\"hello\"", "\"text\":5"},
	{"\"ts\":1795935760123", "\"ts\":\"x\""},
	{"\"ts\":1795935760123", "\"ts\":-1"},
	{"\"ts\":1795935760123", "\"ts\":1e3"},
	{"\"via\":\"ws\"", "\"via\":\"fax\""},
	{"\"id\":\"1795935354652-17\"", "\"id\":\"17\""},
	{"\"id\":\"1795935354652-17\"",
	 "\"id\":\"1795935354652-17\",\"prev\":\"x\""},
	{"\"type\":\"text\"", "\"type\":\"film\""},
	{"\"metadata\":{\"type\":\"text\"}", "\"metadata\":7"},
	{"\"verified\":true", "\"verified\":true,\"raw\":\"%\""},
	{"\"verified\":true", "\"verified\":true,\"verified\":true"},
};

START_TEST(a_spoilt_record_is_refused_with_a_reason)
{
	const struct msg_fields f = base();
	struct msg *m = make(&f), *out;
	char why[MSG_WHY_MAX] = "", text[1024];
	struct slice record = msg_record(m);
	const char *place = memmem(record.at, record.len, spoilt[_i].replace,
				   strlen(spoilt[_i].replace));
	size_t before;

	ck_assert_ptr_nonnull(place);
	before = (size_t)(place - record.at);
	snprintf(text, sizeof(text), "%.*s%s%.*s", (int)before, record.at,
		 spoilt[_i].by,
		 (int)(record.len - before - strlen(spoilt[_i].replace)),
		 place + strlen(spoilt[_i].replace));
	ck_assert_int_eq(
		msg_parse(&out, slice_of(text), MSGID_NONE, MSGID_NONE, why),
		-EINVAL);
	ck_assert_ptr_null(out);
	ck_assert_uint_gt(strlen(why), 10);
	msg_unref(m);
}
END_TEST

START_TEST(a_record_cut_anywhere_is_refused)
{
	const struct msg_fields f = base();
	struct msg *m = make(&f), *out;
	struct slice record = msg_record(m);
	char why[MSG_WHY_MAX];

	for (record.len--; record.len > 0; record.len--)
		ck_assert_int_eq(
			msg_parse(&out, record, MSGID_NONE, MSGID_NONE, why),
			-EINVAL);
	msg_unref(m);
}
END_TEST

START_TEST(the_longest_of_everything_fits_and_no_more)
{
	static char worst[4 * MSG_TEXT_MAX];
	struct msg_fields f = base();
	struct msg *m, *again;
	char why[MSG_WHY_MAX];

	memset(worst, '\n', sizeof(worst));
	f.text = (struct slice){worst, MSG_TEXT_MAX};
	m = make(&f);
	ck_assert_uint_eq(msg_record(m).len > MSG_TEXT_MAX, 1);
	ck_assert_int_eq(
		msg_parse(&again, msg_record(m), MSGID_NONE, MSGID_NONE, why),
		0);
	check_same(m, again);
	msg_unref(again);
	msg_unref(m);
	memset(worst, '\xff', sizeof(worst)); /* triples when cleaned */
	f.raw = f.text;
	m = make(&f);
	ck_assert_int_eq(
		msg_parse(&again, msg_record(m), MSGID_NONE, MSGID_NONE, why),
		0);
	check_same(m, again);
	msg_unref(again);
	msg_unref(m);
	f.raw.len++;
	ck_assert_int_eq(msg_new(&m, &f), -EMSGSIZE);
	f.raw.len--;
	f.text.len = 3 * MSG_TEXT_MAX + 1;
	ck_assert_int_eq(msg_new(&m, &f), -EMSGSIZE);
	f = base();
	f.sender = (struct slice){worst, NAME_MAX_BYTES};
	ck_assert_int_eq(msg_new(&m, &f), -EMSGSIZE);
}
END_TEST

START_TEST(metadata_has_a_limit)
{
	static char text[MSG_META_MAX + 1];
	struct msg_fields f = base();
	json_t *metadata = json_object();
	struct msg *m;

	memset(text, 'x', sizeof(text) - 1);
	json_object_set_new(metadata, "caption", json_string(text));
	f.metadata = metadata;
	ck_assert_int_eq(msg_new(&m, &f), -EMSGSIZE);
	json_decref(metadata);
}
END_TEST

static void *use_forms(void *arg)
{
	struct msg *m = arg;

	for (int i = 0; i < 100; i++)
		ck_assert_uint_gt(msg_frame(m).len + msg_record(m).len, 0);
	msg_unref(m);
	return NULL;
}

/* Under TSan and ASan this is the test of sharing. */
START_TEST(threads_share_a_message)
{
	for (int round = 0; round < 200; round++) {
		struct msg_fields f = base();
		pthread_t threads[4];
		struct msg *m;

		f.raw = SLICE("x");
		m = make(&f);
		for (size_t i = 0; i < ARRAY_LEN(threads); i++)
			pthread_create(&threads[i], NULL, use_forms,
				       msg_ref(m));
		msg_unref(m);
		for (size_t i = 0; i < ARRAY_LEN(threads); i++)
			pthread_join(threads[i], NULL);
	}
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{the_record_is_that_of_the_design, 1},
		{each_type_has_its_line, ARRAY_LEN(typed)},
		{a_record_read_back_is_the_same, ARRAY_LEN(typed)},
		{a_line_keeps_its_bytes_over_the_bus, ARRAY_LEN(said)},
		{an_id_comes_later, 1},
		{where_an_epoch_begins_the_record_says_what_was_before, 1},
		{a_spoilt_record_is_refused_with_a_reason, ARRAY_LEN(spoilt)},
		{a_record_cut_anywhere_is_refused, 1},
		{the_longest_of_everything_fits_and_no_more, 1},
		{metadata_has_a_limit, 1},
		{threads_share_a_message, 1},
	};

	return unit_run("msg", tests, ARRAY_LEN(tests));
}
