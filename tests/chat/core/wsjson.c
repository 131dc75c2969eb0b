/* SPDX-License-Identifier: MIT */
/* What clients say as JSON, what is refused and why, what the server says. */
#include "core/wsjson.h"

#include "core/json.h"

#include "unit.h"

#define MID "abcdefghijklmnop"
#define M   "\"mid\":\"" MID "\","

static const struct {
	const char *text;
	const char *code; /* NULL: accepted */
	const char *ref;
	enum wsjson_type type;
} cases[] = {
	{"{\"t\":\"hello\"}", NULL, "", WSJSON_HELLO},
	{"{\"t\":\"hello\",\"nick\":\"lan\",\"token\":"
	 "\"0123456789abcdef0123456789abcdef\",\"client\":\"page\","
	 "\"rooms\":[{\"id\":\"lobby\",\"after\":\"5-7\"},{\"id\":\"ops\"}],"
	 "\"unknown\":[1]}",
	 NULL, "", WSJSON_HELLO},
	{"{\"t\":\"hello\",\"nick\":null,\"rooms\":null}", NULL, "",
	 WSJSON_HELLO},
	{"{\"t\":\"join\",\"room\":\"ops\",\"after\":\"5-7\"}", NULL, "",
	 WSJSON_JOIN},
	{"{\"t\":\"leave\",\"room\":\"ops\"}", NULL, "", WSJSON_LEAVE},
	{"{\"t\":\"msg\"," M "\"room\":\"ops\",\"text\":\"hi\",\"retry\":true}",
	 NULL, "", WSJSON_MSG},
	{"{\"t\":\"msg\"," M
	 "\"room\":\"ops\",\"text\":\"hi\",\"metadata\":{}}",
	 NULL, "", WSJSON_MSG},
	{"{\"t\":\"msg\"," M "\"room\":\"ops\",\"text\":\"hi\",\"metadata\":"
	 "{\"type\":\"action\"}}",
	 NULL, "", WSJSON_MSG},
	{"{\"t\":\"msg\"," M
	 "\"room\":\"ops\",\"metadata\":{\"type\":\"image\","
	 "\"imageUrl\":\"https://x/y\",\"caption\":\"c\"}}",
	 NULL, "", WSJSON_MSG},
	{"{\"t\":\"dm\"," M "\"to\":\"bob\",\"text\":\"psst\"}", NULL, "",
	 WSJSON_DM},
	{"{\"t\":\"nick\",\"nick\":\"lan\"}", NULL, "", WSJSON_NICK},
	{"{\"t\":\"topic\",\"room\":\"ops\",\"text\":\"x\"}", NULL, "",
	 WSJSON_TOPIC},
	{"{\"t\":\"topic\",\"room\":\"ops\",\"text\":\"\"}", NULL, "",
	 WSJSON_TOPIC},
	{"{\"t\":\"who\",\"room\":\"ops\"}", NULL, "", WSJSON_WHO},
	{"{\"t\":\"rooms\"}", NULL, "", WSJSON_ROOMS},
	{"{\"t\":\"history\",\"room\":\"ops\",\"before\":\"5-7\","
	 "\"limit\":200}",
	 NULL, "", WSJSON_HISTORY_ASK},
	{"{\"t\":\"typing\",\"room\":\"ops\"}", NULL, "", WSJSON_TYPING},
	{"{\"t\":\"ping\",\"n\":7}", NULL, "", WSJSON_PING},
	/* Refused. */
	{"", "bad_json", "", 0},
	{"[]", "bad_json", "", 0},
	{"{\"t\":\"ping\"", "bad_json", "", 0},
	{"{\"t\":\"ping\",\"t\":\"ping\"}", "bad_json", "", 0},
	{"{\"t\":\"msg\",\"text\":\"\\u0000\"}", "bad_json", "", 0},
	{"{\"t\":\"msg\",\"text\":\"\\ud800\"}", "bad_json", "", 0},
	{"{}", "missing_field", "", 0},
	{"{\"t\":7}", "bad_field", "", 0},
	{"{\"t\":\"fly\"}", "unknown_type", "fly", 0},
	{"{\"t\":\"fly\"," M "\"x\":1}", "unknown_type", MID, 0},
	{"{\"t\":\"hello\",\"nick\":\"a b\"}", "bad_field", "hello", 0},
	{"{\"t\":\"hello\",\"nick\":\"chat_serv\"}", "bad_field", "hello", 0},
	{"{\"t\":\"hello\",\"nick\":7}", "bad_field", "hello", 0},
	{"{\"t\":\"hello\",\"token\":\"x\"}", "bad_field", "hello", 0},
	{"{\"t\":\"hello\",\"rooms\":{}}", "bad_field", "hello", 0},
	{"{\"t\":\"hello\",\"rooms\":[\"ops\"]}", "bad_field", "hello", 0},
	{"{\"t\":\"hello\",\"rooms\":[{}]}", "bad_field", "hello", 0},
	{"{\"t\":\"hello\",\"rooms\":[{\"id\":\"ops\",\"after\":\"x\"}]}",
	 "bad_field", "hello", 0},
	{"{\"t\":\"hello\",\"rooms\":[{\"id\":\"ops\",\"after\":5}]}",
	 "bad_field", "hello", 0},
	{"{\"t\":\"join\"}", "missing_field", "join", 0},
	{"{\"t\":\"join\",\"room\":\"\"}", "missing_field", "join", 0},
	{"{\"t\":\"join\",\"room\":\"a}b\"}", "bad_field", "join", 0},
	{"{\"t\":\"join\",\"room\":\"@bob#12345678\"}", "bad_field", "join", 0},
	{"{\"t\":\"msg\",\"room\":\"ops\",\"text\":\"hi\"}", "missing_field",
	 "msg", 0},
	{"{\"t\":\"msg\",\"mid\":\"short\",\"room\":\"ops\",\"text\":\"hi\"}",
	 "bad_field", "msg", 0},
	{"{\"t\":\"msg\"," M "\"text\":\"hi\"}", "missing_field", MID, 0},
	{"{\"t\":\"msg\"," M "\"room\":\"ops\"}", "missing_field", MID, 0},
	{"{\"t\":\"msg\"," M "\"room\":\"ops\",\"text\":\"\"}", "missing_field",
	 MID, 0},
	{"{\"t\":\"msg\"," M "\"room\":\"ops\",\"text\":[]}", "bad_field", MID,
	 0},
	{"{\"t\":\"msg\"," M "\"room\":\"ops\",\"text\":\"a\",\"retry\":1}",
	 "bad_field", MID, 0},
	{"{\"t\":\"msg\"," M "\"room\":\"ops\",\"text\":\"a\",\"metadata\":1}",
	 "bad_field", MID, 0},
	{"{\"t\":\"msg\"," M "\"room\":\"ops\",\"text\":\"a\",\"metadata\":"
	 "{\"type\":\"film\"}}",
	 "bad_field", MID, 0},
	{"{\"t\":\"msg\"," M "\"room\":\"ops\",\"text\":\"a\",\"metadata\":"
	 "{\"type\":\"direct\"}}",
	 "bad_field", MID, 0},
	{"{\"t\":\"msg\"," M "\"room\":\"ops\",\"text\":\"a\",\"metadata\":"
	 "{\"type\":\"image\"}}",
	 "missing_field", MID, 0},
	{"{\"t\":\"msg\"," M "\"room\":\"ops\",\"text\":\"a\",\"metadata\":"
	 "{\"type\":\"image\",\"imageUrl\":\"javascript:x\"}}",
	 "bad_field", MID, 0},
	{"{\"t\":\"dm\"," M "\"text\":\"psst\"}", "missing_field", MID, 0},
	{"{\"t\":\"dm\"," M "\"to\":\"a b\",\"text\":\"psst\"}", "bad_field",
	 MID, 0},
	{"{\"t\":\"nick\"}", "missing_field", "nick", 0},
	{"{\"t\":\"topic\",\"room\":\"ops\"}", "missing_field", "topic", 0},
	{"{\"t\":\"topic\",\"room\":\"ops\",\"text\":\"a\\n[bob] b\"}",
	 "bad_field", "topic", 0},
	{"{\"t\":\"history\",\"room\":\"ops\",\"limit\":0}", "bad_field",
	 "history", 0},
	{"{\"t\":\"history\",\"room\":\"ops\",\"limit\":201}", "bad_field",
	 "history", 0},
	{"{\"t\":\"history\",\"room\":\"ops\",\"limit\":\"5\"}", "bad_field",
	 "history", 0},
	{"{\"t\":\"history\",\"room\":\"ops\",\"before\":\"5\"}", "bad_field",
	 "history", 0},
};

START_TEST(each_object_is_understood_or_refused_with_a_sentence)
{
	struct wsjson j;
	bool good = wsjson_parse(&j, slice_of(cases[_i].text));

	ck_assert_msg(good == !cases[_i].code, "%s: %s", cases[_i].text,
		      j.message);
	if (good) {
		ck_assert_int_eq(j.type, cases[_i].type);
	} else {
		ck_assert_str_eq(j.code, cases[_i].code);
		ck_assert_uint_gt(strlen(j.message), 10);
		ck_assert_msg(slice_equal(j.ref, slice_of(cases[_i].ref)),
			      "%s: ref %.*s", cases[_i].text, SLICE_ARG(j.ref));
	}
	wsjson_free(&j);
}
END_TEST

START_TEST(an_object_cut_anywhere_is_no_json)
{
	struct slice text = slice_of(cases[_i].text);
	struct wsjson j;

	for (size_t len = 0; len < text.len; len++) {
		ck_assert(!wsjson_parse(&j, (struct slice){text.at, len}));
		ck_assert_str_eq(j.code, "bad_json");
		wsjson_free(&j);
	}
}
END_TEST

START_TEST(the_fields_are_there)
{
	struct wsjson j;

	ck_assert(wsjson_parse(&j, slice_of(cases[1].text)));
	ck_assert(slice_equal(j.nick, SLICE("lan")));
	ck_assert(slice_equal(j.client, SLICE("page")));
	ck_assert_uint_eq(j.token.len, 32);
	ck_assert_uint_eq(j.room_count, 2);
	ck_assert(slice_equal(j.rooms[0].name, SLICE("lobby")));
	ck_assert(j.rooms[0].has_after && !j.rooms[1].has_after);
	ck_assert_uint_eq(j.rooms[0].after.seq, 7);
	wsjson_free(&j);
	ck_assert(wsjson_parse(&j, slice_of(cases[5].text)));
	ck_assert(slice_equal(j.mid, SLICE(MID)));
	ck_assert(slice_equal(j.room, SLICE("ops")));
	ck_assert(slice_equal(j.text, SLICE("hi")));
	ck_assert(j.retry);
	ck_assert_int_eq(j.msg_type, MSG_TEXT);
	wsjson_free(&j);
	ck_assert(wsjson_parse(&j, slice_of(cases[7].text)));
	ck_assert_int_eq(j.msg_type, MSG_ACTION);
	ck_assert(!j.retry);
	wsjson_free(&j);
	ck_assert(wsjson_parse(&j, slice_of(cases[8].text)));
	ck_assert_int_eq(j.msg_type, MSG_IMAGE);
	ck_assert(slice_equal(j.text, SLICE("c")));
	ck_assert_uint_eq(json_object_size(j.metadata), 2);
	wsjson_free(&j);
	ck_assert(
		wsjson_parse(&j, SLICE("{\"t\":\"history\",\"room\":\"a\"}")));
	ck_assert_uint_eq(j.limit, WSJSON_HISTORY);
	ck_assert(msgid_is_none(j.before));
	wsjson_free(&j);
}
END_TEST

static size_t put_long(char *out, size_t size, size_t text)
{
	return (size_t)snprintf(out, size,
				"{\"t\":\"msg\"," M "\"room\":\"a\","
				"\"text\":\"%0*d\"}",
				(int)text, 7);
}

START_TEST(texts_and_rooms_have_a_limit)
{
	static char text[8192];
	struct wsjson j;
	size_t len = put_long(text, sizeof(text), MSG_TEXT_MAX);

	ck_assert(wsjson_parse(&j, (struct slice){text, len}));
	wsjson_free(&j);
	len = put_long(text, sizeof(text), MSG_TEXT_MAX + 1);
	ck_assert(!wsjson_parse(&j, (struct slice){text, len}));
	ck_assert_str_eq(j.code, "too_long");
	wsjson_free(&j);
	len = (size_t)sprintf(text, "{\"t\":\"hello\",\"rooms\":[");
	for (unsigned i = 0; i <= WSJSON_ROOMS_MAX; i++) {
		if (i == WSJSON_ROOMS_MAX) {
			text[len] = ']';
			text[len + 1] = '}';
			ck_assert(wsjson_parse(&j,
					       (struct slice){text, len + 2}));
			ck_assert_uint_eq(j.room_count, WSJSON_ROOMS_MAX);
			wsjson_free(&j);
		}
		len += (size_t)sprintf(text + len, "%s{\"id\":\"r%u\"}",
				       i ? "," : "", i);
	}
	sprintf(text + len, "]}");
	ck_assert(!wsjson_parse(&j, slice_of(text)));
	ck_assert_str_eq(j.code, "too_many_rooms");
	wsjson_free(&j);
}
END_TEST

static struct writer w;

static void check(const char *expected)
{
	char why[JSON_WHY_MAX] = "";
	json_t *json = json_read(writer_slice(&w), why);

	ck_assert(!w.failed);
	ck_assert_msg(json != NULL, "%.*s: %s", SLICE_ARG(writer_slice(&w)),
		      why);
	json_decref(json);
	ck_assert_msg(slice_equal(writer_slice(&w), slice_of(expected)),
		      "%.*s\nexpected\n%s", SLICE_ARG(writer_slice(&w)),
		      expected);
	writer_free(&w);
}

START_TEST(what_the_server_says)
{
	const struct msgid id = {5, 7}, to = {5, 9};
	const struct slice ops = SLICE("ops"), lan = SLICE("lan");
	const struct wsjson_welcome welcome = {SLICE("pi1-9001"),
					       lan,
					       SLICE("t0"),
					       SLICE("0.1.0"),
					       "up",
					       200,
					       20};
	const struct wsjson_person people[] = {{lan, SLICE("pi1-9001")},
					       {SLICE("bo\"b"), SLICE("pi2")}};
	const struct wsjson_room_line rooms[] = {{ops, SLICE("x"), 3, false},
						 {lan, SLICE(""), 0, true}};

	writer_init(&w, WSJSON_MAX);
	wsjson_put_welcome(&w, &welcome);
	check("{\"t\":\"welcome\",\"instance\":\"pi1-9001\",\"nick\":\"lan\","
	      "\"token\":\"t0\",\"version\":\"0.1.0\",\"spread_ms\":200,"
	      "\"ping_s\":20,\"redis\":\"up\",\"limits\":{\"text\":4096,"
	      "\"rooms\":32,\"history\":200,\"nick\":32,\"room\":64,"
	      "\"topic\":200}}");
	wsjson_put_joined(&w, ops, SLICE("a\"b"), false, id, 3);
	check("{\"t\":\"joined\",\"room\":\"ops\",\"topic\":\"a\\\"b\","
	      "\"e2ee\":false,\"head\":\"5-7\",\"members_n\":3}");
	wsjson_put_left(&w, ops);
	check("{\"t\":\"left\",\"room\":\"ops\"}");
	wsjson_put_ack(&w, SLICE(MID), id);
	check("{\"t\":\"ack\",\"mid\":\"" MID "\",\"id\":\"5-7\"}");
	wsjson_put_error(&w, "rate", SLICE("Slower."), SLICE(MID));
	check("{\"t\":\"error\",\"code\":\"rate\",\"message\":\"Slower.\","
	      "\"ref\":\"" MID "\"}");
	wsjson_put_error(&w, "rate", SLICE("Slower."), SLICE(""));
	check("{\"t\":\"error\",\"code\":\"rate\",\"message\":\"Slower.\"}");
	wsjson_put_gap(&w, ops, id, to);
	check("{\"t\":\"gap\",\"room\":\"ops\",\"from\":\"5-7\",\"to\":\"5-9\"}");
	wsjson_put_state(&w, "down");
	check("{\"t\":\"state\",\"redis\":\"down\"}");
	wsjson_put_reconnect(&w, 1500);
	check("{\"t\":\"reconnect\",\"in_ms\":1500}");
	wsjson_put_pong(&w, -7);
	check("{\"t\":\"pong\",\"n\":-7}");
	wsjson_put_nick(&w, lan);
	check("{\"t\":\"nick\",\"nick\":\"lan\"}");
	wsjson_put_topic(&w, ops, SLICE("x"), lan);
	check("{\"t\":\"topic\",\"room\":\"ops\",\"text\":\"x\","
	      "\"nick\":\"lan\"}");
	wsjson_put_typing(&w, ops, lan);
	check("{\"t\":\"typing\",\"room\":\"ops\",\"nick\":\"lan\"}");
	wsjson_put_members(&w, ops, people, 2, 4);
	check("{\"t\":\"members\",\"room\":\"ops\",\"unnamed\":4,\"members\":["
	      "{\"nick\":\"lan\",\"instance\":\"pi1-9001\"},"
	      "{\"nick\":\"bo\\\"b\",\"instance\":\"pi2\"}]}");
	wsjson_put_members(&w, ops, NULL, 0, 0);
	check("{\"t\":\"members\",\"room\":\"ops\",\"unnamed\":0,"
	      "\"members\":[]}");
	wsjson_put_rooms(&w, rooms, 2);
	check("{\"t\":\"rooms\",\"rooms\":[{\"id\":\"ops\",\"topic\":\"x\","
	      "\"here\":3,\"e2ee\":false},{\"id\":\"lan\",\"topic\":\"\","
	      "\"here\":0,\"e2ee\":true}]}");
}
END_TEST

START_TEST(history_holds_the_messages)
{
	const struct msg_fields f = {.id = {5, 7},
				     .mid = SLICE("0a1b2c." MID),
				     .room = SLICE("ops"),
				     .sender = SLICE("lan"),
				     .text = SLICE("hi"),
				     .instance = SLICE("pi1")};
	struct msg *m;
	char expected[2048];

	ck_assert_int_eq(msg_new(&m, &f), 0);
	writer_init(&w, WSJSON_MAX);
	wsjson_put_history(&w, SLICE("ops"), (struct msg *[]){m, m}, 2, true,
			   false);
	snprintf(expected, sizeof(expected),
		 "{\"t\":\"history\",\"room\":\"ops\",\"more\":true,"
		 "\"complete\":false,\"items\":[%.*s,%.*s]}",
		 SLICE_ARG(msg_json(m)), SLICE_ARG(msg_json(m)));
	check(expected);
	msg_unref(m);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{each_object_is_understood_or_refused_with_a_sentence,
		 ARRAY_LEN(cases)},
		{an_object_cut_anywhere_is_no_json, ARRAY_LEN(cases)},
		{the_fields_are_there, 1},
		{texts_and_rooms_have_a_limit, 1},
		{what_the_server_says, 1},
		{history_holds_the_messages, 1},
	};

	return unit_run("wsjson", tests, ARRAY_LEN(tests));
}
