/* SPDX-License-Identifier: MIT */
/* Responses, byte for byte. */
#include "core/http.h"
#include "core/utf8.h"

#include "unit.h"

#define SAFE                                  \
	"X-Content-Type-Options: nosniff\r\n" \
	"Referrer-Policy: no-referrer\r\n"

static struct writer w;

static void check(const char *expected)
{
	ck_assert(!w.failed);
	ck_assert_msg(slice_equal(writer_slice(&w), slice_of(expected)),
		      "%.*s\nexpected\n%s", SLICE_ARG(writer_slice(&w)),
		      expected);
	writer_free(&w);
}

static bool has(const char *text)
{
	return memmem(w.bytes, w.len, text, strlen(text)) != NULL;
}

static struct http_request request(enum http_verb verb)
{
	return (struct http_request){.verb = verb, .keep_alive = true};
}

START_TEST(a_plain_answer)
{
	struct http_request r = request(HTTP_VERB_GET);
	struct http_response answer = {
		.status = 200, .type = "text/plain", .body = SLICE("hi")};

	writer_init(&w, HTTP_RESPONSE_MAX);
	ck_assert(http_respond(&w, &r, &answer));
	check("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
	      "Content-Length: 2\r\nCache-Control: no-store\r\n" SAFE "\r\nhi");
	/* HEAD: the same without the body. */
	r.verb = HTTP_VERB_HEAD;
	ck_assert(http_respond(&w, &r, &answer));
	check("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
	      "Content-Length: 2\r\nCache-Control: no-store\r\n" SAFE "\r\n");
	r.verb = HTTP_VERB_GET;
	r.http_1_0 = true;
	ck_assert(http_respond(&w, &r, &answer));
	ck_assert(has("Connection: keep-alive\r\n"));
	writer_free(&w);
	r.keep_alive = false;
	ck_assert(!http_respond(&w, &r, &answer));
	ck_assert(has("Connection: close\r\n"));
	writer_free(&w);
	r.keep_alive = true;
	answer.close = true;
	ck_assert(!http_respond(&w, &r, &answer));
	writer_free(&w);
	ck_assert(!http_respond(&w, NULL, &answer));
	writer_free(&w);
}
END_TEST

START_TEST(headers_that_are_asked_for)
{
	struct http_request r = request(HTTP_VERB_GET);
	const struct http_response answer = {.status = 304,
					     .etag = SLICE("\"abc\""),
					     .cache = "no-cache",
					     .body = SLICE("never sent"),
					     .date_s = 1795935760,
					     .page = true};

	writer_init(&w, HTTP_RESPONSE_MAX);
	ck_assert(http_respond(&w, &r, &answer));
	ck_assert(has("HTTP/1.1 304 Not Modified\r\n"
		      "Date: Sun, 29 Nov 2026 07:02:40 GMT\r\n"
		      "Cache-Control: no-cache\r\nETag: \"abc\"\r\n"));
	ck_assert(has("default-src 'none'"));
	ck_assert(!has("Content-Length"));
	ck_assert(!has("never"));
	writer_free(&w);
}
END_TEST

START_TEST(cors_only_if_it_is_on)
{
	struct http_request r = request(HTTP_VERB_OTHER);
	struct http_response answer = {.status = 204,
				       .cors_origin = "https://x"};

	writer_init(&w, HTTP_RESPONSE_MAX);
	r.verb_name = SLICE("OPTIONS");
	http_respond(&w, &r, &answer);
	ck_assert(has("Access-Control-Allow-Origin: https://x\r\n"));
	ck_assert(has("Access-Control-Allow-Headers: "));
	writer_free(&w);
	answer.cors_origin = NULL;
	http_respond(&w, &r, &answer);
	ck_assert(!has("Access-Control"));
	writer_free(&w);
}
END_TEST

START_TEST(an_error_is_json_or_a_page)
{
	const struct http_header html = {SLICE("Accept"), SLICE("text/html")};
	struct http_request r = request(HTTP_VERB_POST);
	const struct http_response extra = {.allow = "GET, HEAD"};

	writer_init(&w, HTTP_RESPONSE_MAX);
	ck_assert(http_respond_error(&w, &r, 405, "method_not_allowed",
				     "Say \"GET\" <here>.", &extra));
	check("HTTP/1.1 405 Method Not Allowed\r\n"
	      "Content-Type: application/json; charset=utf-8\r\n"
	      "Content-Length: 79\r\nCache-Control: no-store\r\n"
	      "Allow: GET, HEAD\r\n" SAFE "\r\n"
	      "{\"success\":false,\"error\":\"method_not_allowed\","
	      "\"message\":\"Say \\\"GET\\\" <here>.\"}\n");
	r.headers = &html;
	r.header_count = 1;
	http_respond_error(&w, &r, 405, "x", "Say \"GET\" <here> & now.", NULL);
	ck_assert(has("<p>Say \"GET\" &lt;here&gt; &amp; now.</p>"));
	ck_assert(has("Content-Security-Policy: "));
	ck_assert(!has("http-equiv"));
	writer_free(&w);
}
END_TEST

START_TEST(maintenance_is_friendly_and_comes_back)
{
	const struct http_header html = {SLICE("accept"), SLICE("text/html")};
	struct http_request r = request(HTTP_VERB_GET);

	ck_assert(utf8_is_valid(SLICE(HTTP_MAINTENANCE)));
	writer_init(&w, HTTP_RESPONSE_MAX);
	ck_assert(http_respond_maintenance(&w, &r));
	ck_assert(has("HTTP/1.1 503 Service Unavailable\r\n"));
	ck_assert(has("Retry-After: 5\r\n"));
	ck_assert(has("\"error\":\"maintenance\""));
	ck_assert(has("Service under maintenance, please come back soon. / "
		      "Dịch vụ đang bảo trì, xin vui lòng quay lại sau."));
	writer_free(&w);
	r.headers = &html;
	r.header_count = 1;
	http_respond_maintenance(&w, &r);
	ck_assert(has("http-equiv=\"refresh\" content=\"5\""));
	ck_assert(has("Dịch vụ"));
	writer_free(&w);
}
END_TEST

/* The example of RFC 6455 section 1.3. */
START_TEST(an_upgrade_proves_that_it_was_understood)
{
	const struct slice key = SLICE("dGhlIHNhbXBsZSBub25jZQ==");

	writer_init(&w, HTTP_RESPONSE_MAX);
	ck_assert(http_respond_upgrade(&w, key, true));
	check("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
	      "Connection: Upgrade\r\n"
	      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
	      "Sec-WebSocket-Protocol: chat.1\r\n\r\n");
	ck_assert(http_respond_upgrade(&w, key, false));
	ck_assert(!has("Protocol:"));
	writer_free(&w);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_plain_answer, 1},
		{headers_that_are_asked_for, 1},
		{cors_only_if_it_is_on, 1},
		{an_error_is_json_or_a_page, 1},
		{maintenance_is_friendly_and_comes_back, 1},
		{an_upgrade_proves_that_it_was_understood, 1},
	};

	return unit_run("respond", tests, ARRAY_LEN(tests));
}
