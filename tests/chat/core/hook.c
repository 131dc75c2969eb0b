/* SPDX-License-Identifier: MIT */
/*
 * The five webhooks: each field there, missing, null, of a wrong type and
 * beyond its limits; and the Socket.IO system's own examples.
 */
#include "core/hook.h"

#include "unit.h"

/* A body that has all fields; the table below takes away or spoils one. */
static const struct {
	enum msg_type type;
	const char *body, *text;
	unsigned metadata; /* fields in it */
} whole[] = {
	{MSG_TEXT,
	 "{\"roomId\":\"lobby\",\"message\":\"hi\",\"sender\":\"bot\","
	 "\"id\":\"abcdefghijklmnop\"}",
	 "hi", 0},
	{MSG_IMAGE,
	 "{\"roomId\":\"lobby\",\"imageUrl\":\"https://x/c.png\","
	 "\"caption\":\"cat\",\"width\":3,\"height\":4,"
	 "\"fileSize\":0}",
	 "cat", 5},
	{MSG_FILE,
	 "{\"roomId\":\"lobby\",\"fileUrl\":\"http://x:80/f\","
	 "\"fileName\":\"f.pdf\",\"fileSize\":9007199254740993,"
	 "\"fileType\":\"application/pdf\"}",
	 "f.pdf", 4},
	{MSG_LOCATION,
	 "{\"roomId\":\"lobby\",\"latitude\":10.76,"
	 "\"longitude\":-106,\"address\":\"Q1\"}",
	 "Q1", 3},
	{MSG_AUDIO,
	 "{\"roomId\":\"lobby\",\"audioUrl\":\"HTTP://x/a\","
	 "\"duration\":3.5}",
	 "", 2},
};

START_TEST(a_whole_hook_is_taken)
{
	struct hook h;

	ck_assert_msg(hook_parse(&h, whole[_i].type,
				 slice_of(whole[_i].body)) == HOOK_OK,
		      "%s", h.why);
	ck_assert(slice_equal(h.room, SLICE("lobby")));
	ck_assert(slice_equal(h.text, slice_of(whole[_i].text)));
	ck_assert(slice_equal(h.sender,
			      _i == 0 ? SLICE("bot") : SLICE(HOOK_SENDER)));
	ck_assert_uint_eq(json_object_size(h.metadata), whole[_i].metadata);
	hook_free(&h);
}
END_TEST

START_TEST(a_hook_cut_anywhere_is_no_json)
{
	struct slice body = slice_of(whole[_i].body);
	struct hook h;

	while (body.len > 0) {
		body.len--;
		ck_assert_int_eq(hook_parse(&h, whole[_i].type, body),
				 HOOK_BAD_JSON);
		ck_assert_uint_gt(strlen(h.why), 10);
		hook_free(&h);
	}
}
END_TEST

static const struct {
	enum msg_type type;
	const char *field;
	const char *value; /* NULL: the field is taken away */
	enum hook_error error;
} spoilt[] = {
#define OK  HOOK_OK
#define MIS HOOK_MISSING_FIELD
#define BAD HOOK_BAD_FIELD
	{MSG_TEXT, "roomId", NULL, MIS},
	{MSG_TEXT, "roomId", "null", MIS},
	{MSG_TEXT, "roomId", "\"\"", MIS},
	{MSG_TEXT, "roomId", "7", BAD},
	{MSG_TEXT, "roomId", "\"a b\"", BAD},
	{MSG_TEXT, "roomId", "\"a}b\"", BAD},
	{MSG_TEXT, "roomId", "\"@lan#12345678\"", BAD},
	{MSG_TEXT, "message", NULL, MIS},
	{MSG_TEXT, "message", "null", MIS},
	{MSG_TEXT, "message", "\"\"", MIS},
	{MSG_TEXT, "message", "{}", BAD},
	{MSG_TEXT, "sender", NULL, OK},
	{MSG_TEXT, "sender", "null", OK},
	{MSG_TEXT, "sender", "\"\"", OK},
	{MSG_TEXT, "sender", "\"a b\"", BAD},
	{MSG_TEXT, "sender", "\"chat_serv\"", BAD},
	{MSG_TEXT, "sender", "true", BAD},
	{MSG_TEXT, "id", NULL, OK},
	{MSG_TEXT, "id", "\"short\"", BAD},
	{MSG_TEXT, "id", "1234567890123456", BAD},
	{MSG_IMAGE, "roomId", NULL, MIS},
	{MSG_IMAGE, "imageUrl", NULL, MIS},
	{MSG_IMAGE, "imageUrl", "null", MIS},
	{MSG_IMAGE, "imageUrl", "\"\"", MIS},
	{MSG_IMAGE, "imageUrl", "5", BAD},
	{MSG_IMAGE, "imageUrl", "\"x\"", BAD},
	{MSG_IMAGE, "imageUrl", "\"javascript:alert(1)\"", BAD},
	{MSG_IMAGE, "imageUrl", "\"data:image/png;base64,x\"", BAD},
	{MSG_IMAGE, "imageUrl", "\"//x/y\"", BAD},
	{MSG_IMAGE, "imageUrl", "\"http://\"", BAD},
	{MSG_IMAGE, "imageUrl", "\"http:///x\"", BAD},
	{MSG_IMAGE, "imageUrl", "\"http://:80/\"", BAD},
	{MSG_IMAGE, "imageUrl", "\"http://x/a b\"", BAD},
	{MSG_IMAGE, "imageUrl", "\"http://x/\\n\"", BAD},
	{MSG_IMAGE, "caption", NULL, OK},
	{MSG_IMAGE, "caption", "\"\"", OK},
	{MSG_IMAGE, "caption", "5", BAD},
	{MSG_IMAGE, "width", NULL, OK},
	{MSG_IMAGE, "width", "null", OK},
	{MSG_IMAGE, "width", "-1", BAD},
	{MSG_IMAGE, "width", "1.5", BAD},
	{MSG_IMAGE, "width", "\"3\"", BAD},
	{MSG_IMAGE, "height", NULL, OK},
	{MSG_IMAGE, "height", "-1", BAD},
	{MSG_IMAGE, "fileSize", NULL, OK},
	{MSG_IMAGE, "fileSize", "-1", BAD},
	{MSG_FILE, "roomId", NULL, MIS},
	{MSG_FILE, "fileUrl", NULL, MIS},
	{MSG_FILE, "fileUrl", "\"ftp://x/f\"", BAD},
	{MSG_FILE, "fileName", NULL, MIS},
	{MSG_FILE, "fileName", "\"\"", MIS},
	{MSG_FILE, "fileName", "[]", BAD},
	{MSG_FILE, "fileSize", NULL, OK},
	{MSG_FILE, "fileSize", "-5", BAD},
	{MSG_FILE, "fileType", NULL, OK},
	{MSG_FILE, "fileType", "7", BAD},
	{MSG_LOCATION, "roomId", NULL, MIS},
	{MSG_LOCATION, "latitude", NULL, MIS},
	{MSG_LOCATION, "latitude", "null", MIS},
	{MSG_LOCATION, "latitude", "0", OK},
	{MSG_LOCATION, "latitude", "90", OK},
	{MSG_LOCATION, "latitude", "-90.0", OK},
	{MSG_LOCATION, "latitude", "90.01", BAD},
	{MSG_LOCATION, "latitude", "-90.01", BAD},
	{MSG_LOCATION, "latitude", "\"10\"", BAD},
	{MSG_LOCATION, "longitude", NULL, MIS},
	{MSG_LOCATION, "longitude", "180", OK},
	{MSG_LOCATION, "longitude", "-180", OK},
	{MSG_LOCATION, "longitude", "180.1", BAD},
	{MSG_LOCATION, "longitude", "true", BAD},
	{MSG_LOCATION, "address", NULL, OK},
	{MSG_LOCATION, "address", "1", BAD},
	{MSG_AUDIO, "roomId", NULL, MIS},
	{MSG_AUDIO, "audioUrl", NULL, MIS},
	{MSG_AUDIO, "audioUrl", "\"file:///x\"", BAD},
	{MSG_AUDIO, "duration", NULL, OK},
	{MSG_AUDIO, "duration", "0", OK},
	{MSG_AUDIO, "duration", "-0.1", BAD},
	{MSG_AUDIO, "duration", "\"3\"", BAD},
};

static const char *whole_of(enum msg_type type)
{
	for (size_t i = 0; i < ARRAY_LEN(whole); i++)
		if (whole[i].type == type)
			return whole[i].body;
	return "";
}

START_TEST(each_field_is_checked)
{
	json_t *body = json_loads(whole_of(spoilt[_i].type), 0, NULL);
	const char *field = spoilt[_i].field, *value = spoilt[_i].value;
	struct hook h;
	char *text;

	json_object_del(body, field);
	if (value)
		json_object_set_new(body, field,
				    json_loads(value, JSON_DECODE_ANY, NULL));
	text = json_dumps(body, 0);
	ck_assert_msg(hook_parse(&h, spoilt[_i].type, slice_of(text)) ==
			      spoilt[_i].error,
		      "%s: %s", text, h.why);
	if (spoilt[_i].error != HOOK_OK) {
		ck_assert_str_eq(h.field, field);
		ck_assert(strstr(h.why, field) != NULL);
	}
	hook_free(&h);
	free(text);
	json_decref(body);
}
END_TEST

START_TEST(texts_have_a_limit)
{
	static char body[8192];
	struct hook h;

	for (int extra = 0; extra < 2; extra++) {
		sprintf(body, "{\"roomId\":\"a\",\"message\":\"%0*d\"}",
			MSG_TEXT_MAX + extra, 7);
		ck_assert_int_eq(hook_parse(&h, MSG_TEXT, slice_of(body)),
				 extra ? HOOK_BAD_FIELD : HOOK_OK);
		hook_free(&h);
		sprintf(body,
			"{\"roomId\":\"a\",\"imageUrl\":\"http://x\","
			"\"caption\":\"%0*d\"}",
			HOOK_FIELD_MAX + extra, 7);
		ck_assert_int_eq(hook_parse(&h, MSG_IMAGE, slice_of(body)),
				 extra ? HOOK_BAD_FIELD : HOOK_OK);
		hook_free(&h);
		sprintf(body, "{\"roomId\":\"a\",\"audioUrl\":\"http://%0*d\"}",
			HOOK_URL_MAX - 7 + extra, 7);
		ck_assert_int_eq(hook_parse(&h, MSG_AUDIO, slice_of(body)),
				 extra ? HOOK_BAD_FIELD : HOOK_OK);
		hook_free(&h);
	}
}
END_TEST

START_TEST(what_a_hook_takes_fits_a_message)
{
	static char body[32768];
	struct hook h;
	struct msg *m;
	char *fill = malloc(6 * HOOK_FIELD_MAX + 1);

	/* The longest fields, of which each byte is escaped. */
	for (int i = 0; i < HOOK_FIELD_MAX; i++)
		memcpy(fill + 6 * i, "\\u0001", 7);
	sprintf(body,
		"{\"roomId\":\"a\",\"fileUrl\":\"http://%0*d\","
		"\"fileName\":\"%s\",\"fileType\":\"%s\"}",
		HOOK_URL_MAX - 7, 7, fill, fill);
	ck_assert_int_eq(hook_parse(&h, MSG_FILE, slice_of(body)), HOOK_OK);
	{
		const struct msg_fields f = {.mid = SLICE("x"),
					     .room = h.room,
					     .sender = h.sender,
					     .text = h.text,
					     .type = h.type,
					     .metadata = h.metadata,
					     .via = MSG_WEBHOOK};

		ck_assert_int_eq(msg_new(&m, &f), 0);
		ck_assert_uint_gt(msg_record(m).len, 0);
	}
	msg_unref(m);
	hook_free(&h);
	free(fill);
}
END_TEST

static const struct {
	const char *path;
	bool known;
	enum msg_type type;
} paths[] = {
	{"/webhook", true, MSG_TEXT},
	{"/webhook/image", true, MSG_IMAGE},
	{"/webhook/file", true, MSG_FILE},
	{"/webhook/location", true, MSG_LOCATION},
	{"/webhook/audio", true, MSG_AUDIO},
	{"/webhook/", false, 0},
	{"/webhook/film", false, 0},
	{"/webhooks", false, 0},
	{"", false, 0},
};

START_TEST(each_path_has_its_type)
{
	enum msg_type type = MSG_TEXT;

	ck_assert(hook_path(slice_of(paths[_i].path), &type) ==
		  paths[_i].known);
	ck_assert_int_eq(type, paths[_i].type);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_whole_hook_is_taken, ARRAY_LEN(whole)},
		{a_hook_cut_anywhere_is_no_json, ARRAY_LEN(whole)},
		{each_field_is_checked, ARRAY_LEN(spoilt)},
		{texts_have_a_limit, 1},
		{what_a_hook_takes_fits_a_message, 1},
		{each_path_has_its_type, ARRAY_LEN(paths)},
	};

	return unit_run("hook", tests, ARRAY_LEN(tests));
}
