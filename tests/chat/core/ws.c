/* SPDX-License-Identifier: MIT */
/* Frames of clients: the cases of RFC 6455, whole and cut at every byte. */
#include "core/ws.h"

#include <stdarg.h>

#include "unit.h"

struct stream {
	char bytes[512 * 1024];
	size_t len;
};

struct story {
	char text[1024];
	size_t len;
};

static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};

/* The header of a masked frame and a payload, masked. */
static void put_frame(struct stream *s, uint8_t first, const void *payload,
		      size_t len)
{
	uint8_t head[WS_HEADER_MAX];
	size_t header = ws_header(head, WS_OP_TEXT, len);

	head[0] = first;
	head[1] |= 0x80;
	memcpy(s->bytes + s->len, head, header);
	s->len += header;
	memcpy(s->bytes + s->len, mask, 4);
	s->len += 4;
	for (size_t i = 0; i < len; i++)
		s->bytes[s->len++] =
			(char)(((const uint8_t *)payload)[i] ^ mask[i % 4]);
	ck_assert_uint_lt(s->len, sizeof(s->bytes));
}

static void tell(struct story *s, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void tell(struct story *s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	s->len += (size_t)vsnprintf(s->text + s->len, sizeof(s->text) - s->len,
				    format, args);
	va_end(args);
	ck_assert_uint_lt(s->len, sizeof(s->text));
}

/* Long messages by their length alone. */
static void tell_data(struct story *s, const char *what, struct slice data)
{
	if (data.len > 130)
		tell(s, "%s(%zu)", what, data.len);
	else
		tell(s, "%s<%.*s>", what, SLICE_ARG(data));
}

static bool tell_event(struct story *s, const struct ws *w, enum ws_event event)
{
	switch (event) {
	case WS_MORE: return true;
	case WS_MESSAGE: tell_data(s, "", w->data); return true;
	case WS_PING: tell_data(s, "ping", w->data); return true;
	case WS_PONG: tell_data(s, "pong", w->data); return true;
	case WS_CLOSE:
		tell(s, "close %u", w->code);
		tell_data(s, "", w->data);
		return false;
	case WS_BAD: tell(s, "!%u", w->code); return false;
	}
	return false;
}

static void run(struct story *s, const struct stream *in, size_t piece)
{
	bool goes_on = true;
	struct ws w;

	ws_init(&w);
	for (size_t at = 0; goes_on && at < in->len; at += piece) {
		size_t now = piece < in->len - at ? piece : in->len - at;
		char *exact = malloc(now);
		struct slice left = {exact, now};
		enum ws_event event;

		memcpy(exact, in->bytes + at, now);
		do {
			event = ws_feed(&w, &left);
			goes_on = tell_event(s, &w, event);
		} while (goes_on && event != WS_MORE);
		ck_assert(!goes_on || left.len == 0);
		free(exact);
	}
	if (goes_on && s->len && s->text[s->len - 1] == '>')
		ck_assert_ptr_null(w.parts); /* nothing is kept at rest */
	ws_free(&w);
}

static void check(const struct stream *in, const char *expected)
{
	for (size_t piece = in->len; piece > 0;
	     piece = in->len > 1000 ? piece / 7 : piece - 1) {
		struct story s = {.len = 0};

		run(&s, in, piece);
		ck_assert_msg(strcmp(s.text, expected) == 0,
			      "in pieces of %zu: %s, expected %s", piece,
			      s.text, expected);
	}
}

#define MAX_FRAMES 4

static const struct {
	struct {
		uint8_t first;
		const char *payload;
	} frames[MAX_FRAMES];
	const char *expected;
} cases[] = {
	{{{0x81, "Hello"}}, "<Hello>"},
	{{{0x81, ""}}, "<>"},
	{{{0x81, "ti\xe1\xba\xbfng"}}, "<ti\xe1\xba\xbfng>"},
	{{{0x81, "a"}, {0x81, "b"}, {0x81, "c"}}, "<a><b><c>"},
	{{{0x01, "Hel"}, {0x80, "lo"}}, "<Hello>"},
	{{{0x01, ""}, {0x00, ""}, {0x80, ""}}, "<>"},
	{{{0x01, "Hel"}, {0x89, "x"}, {0x80, "lo"}}, "ping<x><Hello>"},
	{{{0x01, "\xe1"}, {0x80, "\xba\xbf"}}, "<\xe1\xba\xbf>"},
	{{{0x89, ""}, {0x8a, "yo"}}, "ping<>pong<yo>"},
	{{{0x88, ""}}, "close 1005<>"},
	{{{0x88, "\x03\xe8"}}, "close 1000<>"},
	{{{0x88, "\x03\xe9"
		 "bye"},
	  {0x81, "x"}},
	 "close 1001<bye>"},
	{{{0x88, "\x0f\xa0"}}, "close 4000<>"},
	/* What breaks the rules. */
	{{{0x88, "\x03"}}, "!1002"},
	{{{0x88, "\x03\xe7"}}, "!1002"}, /* 999 */
	{{{0x88, "\x03\xec"}}, "!1002"}, /* 1004 */
	{{{0x88, "\x03\xed"}}, "!1002"}, /* 1005 */
	{{{0x88, "\x03\xee"}}, "!1002"}, /* 1006 */
	{{{0x88, "\x03\xf7"}}, "!1002"}, /* 1015 */
	{{{0x88, "\x0b\xb7"}}, "!1002"}, /* 2999 */
	{{{0x88, "\x13\x88"}}, "!1002"}, /* 5000 */
	{{{0x88, "\x03\xe8\xff"}}, "!1007"},
	{{{0x81, "\xff"}}, "!1007"},
	{{{0x81, "\xed\xa0\x80"}}, "!1007"},
	{{{0x01, "\xe1"}, {0x80, "\xba"}}, "!1007"},
	{{{0x82, "x"}}, "!1003"},
	{{{0x80, "x"}}, "!1002"}, /* nothing to continue */
	{{{0x00, "x"}}, "!1002"},
	{{{0x01, "x"}, {0x81, "y"}}, "!1002"},
	{{{0x01, "x"}, {0x01, "y"}}, "!1002"},
	{{{0xc1, "x"}}, "!1002"}, /* RSV1 */
	{{{0xa1, "x"}}, "!1002"},
	{{{0x91, "x"}}, "!1002"},
	{{{0x83, "x"}}, "!1002"}, /* unknown opcodes */
	{{{0x87, "x"}}, "!1002"},
	{{{0x8b, "x"}}, "!1002"},
	{{{0x8f, "x"}}, "!1002"},
	{{{0x09, "x"}}, "!1002"}, /* a ping in fragments */
	{{{0x08, ""}}, "!1002"},
};

START_TEST(frames_are_the_same_however_they_are_cut)
{
	static struct stream in;

	in.len = 0;
	for (size_t i = 0; i < MAX_FRAMES && cases[_i].frames[i].payload; i++) {
		const char *payload = cases[_i].frames[i].payload;

		put_frame(&in, cases[_i].frames[i].first, payload,
			  strlen(payload));
	}
	check(&in, cases[_i].expected);
}
END_TEST

static const struct {
	const char *bytes;
	size_t len;
} raw[] = {
	{"\x81\x01x", 3},				 /* not masked */
	{"\x81\xfe\x00\x05\0\0\0\0hello", 13},		 /* 5 in two bytes */
	{"\x81\xff\0\0\0\0\0\0\0\x05\0\0\0\0hello", 19}, /* in eight */
	{"\x81\xff\x80\0\0\0\0\0\0\x05\0\0\0\0h", 15},	 /* the highest bit */
	{"\x89\xfe\0\x7e\0\0\0\0x", 9},			 /* a ping of 126 */
};

START_TEST(malformed_frames_are_refused)
{
	static struct stream in;

	memcpy(in.bytes, raw[_i].bytes, raw[_i].len);
	in.len = raw[_i].len;
	check(&in, "!1002");
}
END_TEST

static char filling[WS_MESSAGE_MAX + 1];

START_TEST(the_limits_of_size_hold)
{
	static struct stream in;

	memset(filling, 'x', sizeof(filling));
	in.len = 0;
	put_frame(&in, 0x81, filling, WS_MESSAGE_MAX);
	put_frame(&in, 0x89, filling, WS_CONTROL_MAX);
	put_frame(&in, 0x81, filling, 126);
	put_frame(&in, 0x81, "end", 3);
	filling[WS_CONTROL_MAX] = '\0';
	{
		char expected[512];

		snprintf(expected, sizeof(expected),
			 "(16384)ping<%.125s><%.125sx><end>", filling, filling);
		check(&in, expected);
	}
	filling[WS_CONTROL_MAX] = 'x';
	in.len = 0;
	put_frame(&in, 0x81, filling, WS_MESSAGE_MAX + 1);
	check(&in, "!1009");
	in.len = 0;
	put_frame(&in, 0x01, filling, WS_MESSAGE_MAX);
	put_frame(&in, 0x80, filling, 1);
	check(&in, "!1009");
	in.len = 0;
	put_frame(&in, 0x89, filling, WS_CONTROL_MAX + 1);
	check(&in, "!1002");
}
END_TEST

static void put_fragments(struct stream *in, unsigned count)
{
	in->len = 0;
	for (unsigned i = 0; i < count; i++)
		put_frame(in, (uint8_t)((i == 0) | (i == count - 1 ? 0x80 : 0)),
			  "x", 1);
}

START_TEST(a_message_has_at_most_64_fragments)
{
	static struct stream in;
	char expected[80] = "<";

	memset(expected + 1, 'x', WS_FRAGMENTS_MAX);
	strcpy(expected + 1 + WS_FRAGMENTS_MAX, ">");
	put_fragments(&in, WS_FRAGMENTS_MAX);
	check(&in, expected);
	put_fragments(&in, WS_FRAGMENTS_MAX + 1);
	check(&in, "!1009");
}
END_TEST

/* Each length of header, as RFC 6455 section 5.2 has it. */
START_TEST(server_frames_have_the_shortest_header)
{
	uint8_t out[WS_HEADER_MAX];

	ck_assert_uint_eq(ws_header(out, WS_OP_PONG, 125), 2);
	ck_assert_int_eq(memcmp(out, "\x8a\x7d", 2), 0);
	ck_assert_uint_eq(ws_header(out, WS_OP_TEXT, 126), 4);
	ck_assert_int_eq(memcmp(out, "\x81\x7e\0\x7e", 4), 0);
	ck_assert_uint_eq(ws_header(out, WS_OP_TEXT, 65535), 4);
	ck_assert_int_eq(memcmp(out, "\x81\x7e\xff\xff", 4), 0);
	ck_assert_uint_eq(ws_header(out, WS_OP_TEXT, 65536), 10);
	ck_assert_int_eq(memcmp(out, "\x81\x7f\0\0\0\0\0\1\0\0", 10), 0);
}
END_TEST

START_TEST(close_frames_carry_a_code_and_what_fits_of_a_reason)
{
	uint8_t out[2 + WS_CONTROL_MAX];
	char reason[200];

	ck_assert_uint_eq(ws_close_frame(out, WS_DRAIN, SLICE("bye")), 7);
	ck_assert_int_eq(memcmp(out,
				"\x88\x05\x03\xe9"
				"bye",
				7),
			 0);
	ck_assert_uint_eq(ws_close_frame(out, WS_NO_CODE, SLICE("bye")), 2);
	ck_assert_int_eq(memcmp(out, "\x88\x00", 2), 0);
	for (size_t i = 0; i < sizeof(reason); i++)
		reason[i] = "\xe1\xba\xbf"[i % 3];
	ck_assert_uint_eq(
		ws_close_frame(out, WS_BYE, (struct slice){reason, 198}),
		2 + 2 + 123); /* 41 whole characters */
}
END_TEST

static const struct {
	const char *key;
	bool valid;
} keys[] = {
	{"dGhlIHNhbXBsZSBub25jZQ==", true},
	{"AAAAAAAAAAAAAAAAAAAAAA==", true},
	{"", false},
	{"dGhlIHNhbXBsZSBub25jZQ=", false},
	{"dGhlIHNhbXBsZSBub25jZQ", false},
	{"dGhlIHNhbXBsZSBub25jZWU=", false}, /* 17 bytes */
	{"dGhlIHNhbXBsZSBub25j", false},
	{"dGhlIHNhbXBsZSBub25j ZQ==", false},
	{"d\rhlIHNhbXBsZSBub25jZQ==", false},
};

START_TEST(a_key_is_16_bytes_in_base64)
{
	ck_assert(ws_key_is_valid(slice_of(keys[_i].key)) == keys[_i].valid);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{frames_are_the_same_however_they_are_cut, ARRAY_LEN(cases)},
		{malformed_frames_are_refused, ARRAY_LEN(raw)},
		{the_limits_of_size_hold, 1},
		{a_message_has_at_most_64_fragments, 1},
		{server_frames_have_the_shortest_header, 1},
		{close_frames_carry_a_code_and_what_fits_of_a_reason, 1},
		{a_key_is_16_bytes_in_base64, ARRAY_LEN(keys)},
	};

	return unit_run("ws", tests, ARRAY_LEN(tests));
}
