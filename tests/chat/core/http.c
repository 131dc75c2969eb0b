/* SPDX-License-Identifier: MIT */
/*
 * Requests: what each gives, whole and cut at every byte; the limits; and what
 * two parsers might read in two ways, which is refused.
 */
#include "core/http.h"

#include "unit.h"

#include <stdarg.h>

/* All that came out of a stream, as text. */
struct story {
	char text[2 * HTTP_BODY_MAX];
	size_t len;
};

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

/* "GET /path?query host keep body\n"; "!431"; "100". Returns false at the end.
 */
static bool tell_event(struct story *s, struct http *h, enum http_event event)
{
	const struct http_request *r = &h->request;

	switch (event) {
	case HTTP_MORE: return true;
	case HTTP_EXPECTS: tell(s, "100 "); return true;
	case HTTP_BAD: tell(s, "!%u", h->status); return false;
	case HTTP_WHOLE: break;
	}
	tell(s, "%.*s %.*s%s%.*s %.*s %s%s%u <%.*s>\n", SLICE_ARG(r->verb_name),
	     SLICE_ARG(r->path), r->query.len ? "?" : "", SLICE_ARG(r->query),
	     SLICE_ARG(r->host), r->keep_alive ? "keep " : "",
	     r->upgrade ? "upgrade " : "", r->header_count, SLICE_ARG(r->body));
	return true;
}

/* Feeds len bytes at a time, each piece of exactly its own size. */
static void run(struct story *s, const char *bytes, size_t len, size_t piece)
{
	struct http h;
	bool goes_on = true;

	http_init(&h);
	for (size_t at = 0; goes_on && at < len; at += piece) {
		size_t now = piece < len - at ? piece : len - at;
		char *exact = malloc(now);
		struct slice in = {exact, now};

		memcpy(exact, bytes + at, now);
		while (goes_on && in.len > 0) {
			size_t before = in.len;
			enum http_event event = http_feed(&h, &in);

			goes_on = tell_event(s, &h, event);
			ck_assert(event != HTTP_MORE || in.len == 0 ||
				  in.len < before);
		}
		free(exact);
	}
	http_free(&h);
}

static void check_stream(const char *bytes, size_t len, const char *expected)
{
	for (size_t piece = len; piece > 0; piece--) {
		struct story s = {.len = 0};

		run(&s, bytes, len, piece);
		ck_assert_msg(strcmp(s.text, expected) == 0,
			      "in pieces of %zu:\n%s\nexpected:\n%s\nof:\n%s",
			      piece, s.text, expected, bytes);
	}
}

#define HOST "Host: a\r\n"

static const struct {
	const char *bytes, *expected;
} cases[] = {
	{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / a keep 1 <>\n"},
	{"GET / HTTP/1.1\nHost: a\n\n", "GET / a keep 1 <>\n"},
	{"\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", "GET / a keep 1 <>\n"},
	{"HEAD /x?y=z&q HTTP/1.1\r\n" HOST "\r\n",
	 "HEAD /x?y=z&q a keep 1 <>\n"},
	{"GET http://a:8000/x?y HTTP/1.1\r\nHost: a:8000\r\n\r\n",
	 "GET /x?y a:8000 keep 1 <>\n"},
	{"GET http://a HTTP/1.1\r\n" HOST "\r\n", "GET / a keep 1 <>\n"},
	{"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "OPTIONS * a keep 1 <>\n"},
	{"DELETE /x HTTP/1.1\r\n" HOST "\r\n", "DELETE /x a keep 1 <>\n"},
	{"GET / HTTP/1.0\r\n\r\n", "GET /  0 <>\n"},
	{"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
	 "GET /  keep 1 <>\n"},
	{"GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n",
	 "GET / a 2 <>\n"},
	{"POST /w HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello",
	 "POST /w a keep 2 <hello>\n"},
	{"POST /w HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n",
	 "POST /w a keep 2 <>\n"},
	/* Pipelined, the second body begins with what looks like a request. */
	{"POST /1 HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"
	 "POST /2 HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nGET /"
	 "GET /3 HTTP/1.1\r\n" HOST "\r\n",
	 "POST /1 a keep 2 <abc>\nPOST /2 a keep 2 <GET />\n"
	 "GET /3 a keep 1 <>\n"},
	/* Chunks, with an extension and a trailer. */
	{"POST /w HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
	 "5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: t\r\n\r\n"
	 "GET / HTTP/1.1\r\n" HOST "\r\n",
	 "POST /w a keep 2 <hello!>\nGET / a keep 1 <>\n"},
	{"POST /w HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n"
	 "Content-Length: 2\r\n\r\nhi",
	 "100 POST /w a keep 3 <hi>\n"},
	{"POST /w HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n"
	 "Content-Length: 0\r\n\r\n",
	 "POST /w a keep 3 <>\n"},
	{"POST /w HTTP/1.1\r\n" HOST "Expect: tea\r\n"
	 "Content-Length: 2\r\n\r\nhi",
	 "!417"},
	{"GET /ws HTTP/1.1\r\n" HOST "Upgrade: WebSocket\r\n"
	 "Connection: keep-alive, Upgrade\r\n\r\n",
	 "GET /ws a keep upgrade 3 <>\n"},
	{"GET /ws HTTP/1.1\r\n" HOST "Upgrade: h2c\r\n"
	 "Connection: Upgrade\r\n\r\n",
	 "GET /ws a keep 3 <>\n"},
	{"GET /ws HTTP/1.1\r\n" HOST "Upgrade: websocket\r\n\r\n",
	 "GET /ws a keep 2 <>\n"},
	{"POST /ws HTTP/1.1\r\n" HOST "Upgrade: websocket\r\n"
	 "Connection: Upgrade\r\nContent-Length: 1\r\n\r\nx",
	 "POST /ws a keep 4 <x>\n"},
	/* What may be read in two ways. */
	{"POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n"
	 "Content-Length: 1\r\n\r\nx",
	 "!400"},
	{"POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n"
	 "Content-Length: 2\r\n\r\nx",
	 "!400"},
	{"POST / HTTP/1.1\r\n" HOST "Content-Length: 1, 1\r\n\r\nx", "!400"},
	{"POST / HTTP/1.1\r\n" HOST "Content-Length: +1\r\n\r\nx", "!400"},
	{"POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\nx", "!400"},
	{"POST / HTTP/1.1\r\n" HOST "Content-Length: 0x1\r\n\r\nx", "!400"},
	{"POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\nx", "!400"},
	{"POST / HTTP/1.1\r\n" HOST "Content-Length: 1 1\r\n\r\nx", "!400"},
	{"POST / HTTP/1.1\r\n" HOST
	 "Content-Length: 99999999999999999999999\r\n\r\nx",
	 "!400"},
	{"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n"
	 "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	 "!400"},
	{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n"
	 "Content-Length: 5\r\n\r\n0\r\n\r\n",
	 "!400"},
	{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n"
	 "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	 "!400"},
	{"POST / HTTP/1.1\r\n" HOST
	 "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
	 "!400"},
	{"POST / HTTP/1.1\r\n" HOST
	 "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
	 "!501"},
	{"POST / HTTP/1.1\r\n" HOST
	 "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
	 "!400"},
	{"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	 "!400"},
	{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\n\r\n"
	 "0\r\n\r\n",
	 "!400"},
	{"POST / HTTP/1.1\r\n" HOST " Transfer-Encoding: chunked\r\n\r\n"
	 "0\r\n\r\n",
	 "!400"},
	{"POST / HTTP/1.1\r\n" HOST "X: a\r\n\tb\r\n\r\n", "!400"},
	{"POST / HTTP/1.1\r\n" HOST
	 "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
	 "!400"},
	{"POST / HTTP/1.1\r\n" HOST "X: a\rContent-Length: 1\r\n\r\n", "!400"},
	{"POST / HTTP/1.1\r\n" HOST "X: a\x01\r\n\r\n", "!400"},
	{"POST / HTTP/1.1\r\n" HOST "no colon\r\n\r\n", "!400"},
	{"POST / HTTP/1.1\r\n" HOST ": empty\r\n\r\n", "!400"},
	{"POST / HTTP/1.1\r\n" HOST "a b: c\r\n\r\n", "!400"},
	{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
	 "x\r\n",
	 "!400"},
	{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
	 "-1\r\n",
	 "!400"},
	{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
	 "1\r\nab\r\n",
	 "!400"},
	{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
	 "fffffffffffffffff\r\n",
	 "!400"},
	{"GET / HTTP/1.1\r\n\r\n", "!400"},
	{"GET / HTTP/1.1\r\n" HOST HOST "\r\n", "!400"},
	{"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "!400"},
	{"GET a HTTP/1.1\r\n" HOST "\r\n", "!400"},
	{"GET /a b HTTP/1.1\r\n" HOST "\r\n", "!400"},
	{"CONNECT a:1 HTTP/1.1\r\n" HOST "\r\n", "!400"},
	{"GET /\r\n" HOST "\r\n", "!505"}, /* HTTP/0.9 */
	{"GET / HTTP/2.0\r\n" HOST "\r\n", "!505"},
	{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "!505"}, /* without TLS */
	{"BREW / HTTP/1.1\r\n" HOST "\r\n", "!501"},
	{"POST / HTTP/1.1\r\n" HOST "\r\n", "!411"},
	{"POST / HTTP/1.1\r\n" HOST "Content-Length: 65537\r\n\r\n", "!413"},
};

START_TEST(a_request_is_the_same_however_it_is_cut)
{
	check_stream(cases[_i].bytes, strlen(cases[_i].bytes),
		     cases[_i].expected);
}
END_TEST

/* A stream of a beginning, a filling of that many bytes, and an end. */
static void check_filled(const char *begin, size_t fill, const char *end,
			 const char *expected)
{
	const size_t len = strlen(begin) + fill + strlen(end);
	char *bytes = malloc(len + 1);

	memcpy(bytes, begin, strlen(begin));
	memset(bytes + strlen(begin), 'x', fill);
	strcpy(bytes + strlen(begin) + fill, end);
	for (size_t piece = len; piece > 0; piece /= 3) {
		struct story s = {.len = 0};

		run(&s, bytes, len, piece);
		if (strchr(s.text, '<'))
			*strchr(s.text, '<') = '\0';
		ck_assert_msg(strncmp(s.text, expected, strlen(expected)) == 0,
			      "%zu bytes: %.60s", fill, s.text);
	}
	free(bytes);
}

START_TEST(limits_hold_to_the_byte)
{
	const char *get = "GET /", *line_end = " HTTP/1.1\r\n" HOST "\r\n";
	const size_t line = HTTP_LINE_MAX - 5 - 11;
	const char *header = "GET / HTTP/1.1\r\n" HOST "X: ";
	const size_t fields = HTTP_HEAD_MAX - 9 - 3 - 4;
	const char *post =
		"POST / HTTP/1.1\r\n" HOST "Content-Length: 65536\r\n\r\n";

	check_filled(get, line, line_end, "GET /xxx");
	check_filled(get, line + 1, line_end, "!414");
	check_filled(get, 3 * HTTP_LINE_MAX, "", "!414");
	check_filled(header, fields, "\r\n\r\n", "GET / a keep 2 ");
	check_filled(header, fields + 1, "\r\n\r\n", "!431");
	check_filled(header, 2 * HTTP_HEAD_MAX, "", "!431");
	check_filled(post, HTTP_BODY_MAX, "", "POST / a keep 2 ");
}
END_TEST

static size_t put_headers(char *out, unsigned count)
{
	size_t len = (size_t)sprintf(out, "GET / HTTP/1.1\r\n" HOST);

	for (unsigned i = 1; i < count; i++)
		len += (size_t)sprintf(out + len, "X%u: y\r\n", i);
	return len + (size_t)sprintf(out + len, "\r\n");
}

START_TEST(there_are_at_most_64_headers)
{
	char bytes[2048];
	struct story s = {.len = 0}, more = {.len = 0};
	size_t len = put_headers(bytes, 64);

	run(&s, bytes, len, 7);
	ck_assert_str_eq(s.text, "GET / a keep 64 <>\n");
	len = put_headers(bytes, 65);
	run(&more, bytes, len, 7);
	ck_assert_str_eq(more.text, "!431");
}
END_TEST

/* chunks of one byte: is the limit of the body that of what they carry? */
static void run_chunks(struct story *s, size_t count, const char *chunk)
{
	const char *head =
		"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n";
	struct http h;
	struct slice in = slice_of(head);
	bool goes_on = true;

	http_init(&h);
	goes_on = tell_event(s, &h, http_feed(&h, &in));
	for (size_t i = 0; goes_on && i < count; i++) {
		in = slice_of(chunk);
		goes_on = tell_event(s, &h, http_feed(&h, &in));
	}
	if (goes_on) {
		in = SLICE("0\r\n\r\n");
		ck_assert_int_eq(http_feed(&h, &in), HTTP_WHOLE);
		tell(s, "%zu", h.request.body.len);
	}
	http_free(&h);
}

START_TEST(chunks_have_the_limit_of_the_body)
{
	static const struct {
		size_t count;
		const char *chunk, *expected;
	} bodies[] = {
		{HTTP_BODY_MAX, "1\r\nx\r\n", "65536"},
		{HTTP_BODY_MAX + 1, "1\r\nx\r\n", "!413"},
		{HTTP_BODY_MAX / 16 + 1, "10\r\n0123456789abcdef\r\n", "!413"},
		{HTTP_BODY_MAX, "00000001;aaaa\r\nx\r\n", "!413"},
	};

	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct story s = {.len = 0};

		run_chunks(&s, bodies[i].count, bodies[i].chunk);
		ck_assert_str_eq(s.text, bodies[i].expected);
	}
}
END_TEST

START_TEST(a_nul_byte_is_refused)
{
	check_stream("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n", 29, "!400");
	check_stream("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 29, "!400");
}
END_TEST

START_TEST(timers_can_tell_where_it_is)
{
	struct http h;
	struct slice in = SLICE("\r\n");

	http_init(&h);
	http_feed(&h, &in);
	ck_assert(!http_is_within(&h));
	in = SLICE("POST / HTTP/1.1\r\n" HOST);
	http_feed(&h, &in);
	ck_assert(http_is_within(&h));
	ck_assert(http_is_in_head(&h));
	in = SLICE("Content-Length: 1\r\n\r\n");
	http_feed(&h, &in);
	ck_assert(http_is_within(&h));
	ck_assert(!http_is_in_head(&h));
	in = SLICE("x");
	ck_assert_int_eq(http_feed(&h, &in), HTTP_WHOLE);
	ck_assert(!http_is_within(&h));
	http_done(&h);
	ck_assert_ptr_null(h.parts);
	http_free(&h);
}
END_TEST

/* A request of these headers, to be looked at. */
static struct http_request *request_of(struct http *h, const char *bytes)
{
	struct slice in = slice_of(bytes);

	http_init(h);
	ck_assert_int_eq(http_feed(h, &in), HTTP_WHOLE);
	return &h->request;
}

START_TEST(headers_and_queries_can_be_looked_up)
{
	struct http h;
	const struct http_request *r = request_of(
		&h, "GET /x?limit=20&q=a%20b+c&bad=%zz&cut=%4&nul=%00&e=&limit"
		    "=9 HTTP/1.1\r\n" HOST "X-A:  one \t\r\nx-a: two\r\n"
		    "Accept: text/html;q=0.9 , */*\r\n"
		    "If-None-Match: W/\"a\", \"b\"\r\n\r\n");
	char out[32], tiny[2];

	ck_assert(slice_equal(http_header(r, "x-A"), SLICE("one")));
	ck_assert_uint_eq(http_header(r, "x-b").len, 0);
	ck_assert(http_wants_html(r));
	ck_assert(!http_wants_prometheus(r));
	ck_assert(http_is_unchanged(r, SLICE("\"a\"")));
	ck_assert(http_is_unchanged(r, SLICE("\"b\"")));
	ck_assert(!http_is_unchanged(r, SLICE("\"c\"")));
	ck_assert_int_eq(http_query(r, "limit", out, sizeof(out)), 2);
	ck_assert_str_eq(out, "20");
	ck_assert_int_eq(http_query(r, "q", out, sizeof(out)), 5);
	ck_assert_str_eq(out, "a b c");
	ck_assert_int_eq(http_query(r, "e", out, sizeof(out)), 0);
	ck_assert_int_eq(http_query(r, "bad", out, sizeof(out)), -1);
	ck_assert_int_eq(http_query(r, "cut", out, sizeof(out)), -1);
	ck_assert_int_eq(http_query(r, "nul", out, sizeof(out)), -1);
	ck_assert_int_eq(http_query(r, "none", out, sizeof(out)), -1);
	ck_assert_int_eq(http_query(r, "limit", tiny, sizeof(tiny)), -1);
	ck_assert_int_eq(http_unescape(SLICE("ph%C3%B2ng+1"), out), 8);
	ck_assert_str_eq(out, "ph\xc3\xb2ng+1");
	ck_assert_int_eq(http_unescape(SLICE("%"), out), -1);
	ck_assert_int_eq(http_unescape(SLICE("%4"), out), -1);
	ck_assert_int_eq(http_unescape(SLICE("%41"), out), 1);
	http_free(&h);
}
END_TEST

START_TEST(prometheus_is_asked_for_by_name)
{
	struct http h;

	ck_assert(http_wants_prometheus(request_of(
		&h, "GET / HTTP/1.1\r\n" HOST
		    "Accept: application/openmetrics-text;version=1.0.0,"
		    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\n\r\n")));
	http_free(&h);
	ck_assert(!http_wants_prometheus(request_of(
		&h, "GET / HTTP/1.1\r\n" HOST "Accept: */*\r\n\r\n")));
	ck_assert(!http_wants_html(&h.request));
	http_free(&h);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_request_is_the_same_however_it_is_cut, ARRAY_LEN(cases)},
		{limits_hold_to_the_byte, 1},
		{there_are_at_most_64_headers, 1},
		{chunks_have_the_limit_of_the_body, 1},
		{a_nul_byte_is_refused, 1},
		{timers_can_tell_where_it_is, 1},
		{headers_and_queries_can_be_looked_up, 1},
		{prometheus_is_asked_for_by_name, 1},
	};

	return unit_run("http", tests, ARRAY_LEN(tests));
}
