/* SPDX-License-Identifier: MIT */
/* See http.h: requests. Responses are in http_respond.c. */
#include "core/http.h"

#include <http_parser.h>

#include <stdlib.h>

/* A body of 1-byte chunks is six times as long on the wire. */
#define WIRE_MAX ((size_t)8 * HTTP_BODY_MAX)

struct http_parts {
	struct http_parser parser;
	struct http_header headers[HTTP_HEADERS_MAX];
	unsigned header_count;
	bool head_whole, expects, whole;
	struct slice url;
	size_t line_start; /* of the line that is being gathered */
	size_t first_line; /* length of the request line with its end, or 0 */
	size_t wire;	   /* bytes of the body as sent */
	struct writer head, body;
};

void http_init(struct http *h)
{
	*h = (struct http){.status = 0};
}

void http_done(struct http *h)
{
	if (h->parts) {
		writer_free(&h->parts->head);
		writer_free(&h->parts->body);
		free(h->parts);
	}
	h->parts = NULL;
}

void http_free(struct http *h)
{
	http_done(h);
}

bool http_is_within(const struct http *h)
{
	return h->parts && !h->parts->whole;
}

bool http_is_in_head(const struct http *h)
{
	return h->parts && !h->parts->head_whole;
}

static enum http_event bad(struct http *h, unsigned status, const char *code,
			   const char *message)
{
	h->status = status;
	h->code = code;
	h->message = message;
	return HTTP_BAD;
}

static enum http_event bad_request(struct http *h, const char *message)
{
	return bad(h, 400, "bad_request", message);
}

/* Callbacks of the parser: what it finds are slices of the gathered head. */

static int on_url(struct http_parser *parser, const char *at, size_t len)
{
	struct http_parts *p = parser->data;

	p->url = (struct slice){at, len};
	return 0;
}

/* Trailers behind the last chunk are passed over. */
static int on_field(struct http_parser *parser, const char *at, size_t len)
{
	struct http_parts *p = parser->data;

	if (p->head_whole)
		return 0;
	if (p->header_count == HTTP_HEADERS_MAX)
		return -1;
	p->headers[p->header_count++].name = (struct slice){at, len};
	return 0;
}

static int on_value(struct http_parser *parser, const char *at, size_t len)
{
	struct http_parts *p = parser->data;

	if (!p->head_whole)
		p->headers[p->header_count - 1].value =
			slice_trim((struct slice){at, len});
	return 0;
}

static int on_body(struct http_parser *parser, const char *at, size_t len)
{
	struct http_parts *p = parser->data;

	writer_put(&p->body, at, len);
	return p->body.failed;
}

/* Stops the parser, so that it leaves the next request alone. */
static int on_whole(struct http_parser *parser)
{
	struct http_parts *p = parser->data;

	p->whole = true;
	http_parser_pause(parser, 1);
	return 0;
}

static const struct http_parser_settings callbacks = {
	.on_url = on_url,
	.on_header_field = on_field,
	.on_header_value = on_value,
	.on_body = on_body,
	.on_message_complete = on_whole,
};

static bool begin(struct http *h)
{
	struct http_parts *p = calloc(1, sizeof(*p));

	if (!p)
		return false;
	http_parser_init(&p->parser, HTTP_REQUEST);
	p->parser.data = p;
	writer_init(&p->head, HTTP_LINE_MAX + HTTP_HEAD_MAX);
	writer_init(&p->body, HTTP_BODY_MAX);
	h->parts = p;
	return true;
}

/* RFC 9110 section 5.6.2. */
static bool is_token(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.at[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      (c >= '0' && c <= '9') ||
		      (c && strchr("!#$%&'*+-.^_`|~", c))))
			return false;
	}
	return s.len > 0;
}

/*
 * Refuses what parsers read in different ways: folded lines, blanks before the
 * colon, a lone CR, controls. Returns the reason or NULL.
 */
static const char *judge_header(struct slice line)
{
	const char *colon = memchr(line.at, ':', line.len);

	if (line.at[0] == ' ' || line.at[0] == '\t')
		return "A header must not be folded over several lines.";
	if (!colon ||
	    !is_token((struct slice){line.at, (size_t)(colon - line.at)}))
		return "A header must be of the form NAME: VALUE.";
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.at[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return "A header must not hold control characters.";
	}
	return NULL;
}

/* The gathered head ends with a newline. Sets *end if that was its last. */
static const char *end_line(struct http_parts *p, bool *end)
{
	struct slice line = slice_from(writer_slice(&p->head), p->line_start);

	p->line_start = p->head.len;
	line.len--;
	if (line.len > 0 && line.at[line.len - 1] == '\r')
		line.len--;
	if (p->first_line == 0) {
		p->first_line = p->head.len;
		return NULL;
	}
	*end = line.len == 0;
	return *end ? NULL : judge_header(line);
}

/*
 * Gathers lines up to the empty one. Empty lines before the request are passed
 * over (RFC 9112 section 2.2).
 */
static enum http_event gather_head(struct http *h, struct slice *in)
{
	struct http_parts *p = h->parts;
	bool end = false;

	while (in->len > 0 && !end) {
		const char *newline = memchr(in->at, '\n', in->len);
		size_t len = newline ? (size_t)(newline - in->at) + 1 : in->len;
		size_t left = p->first_line ? p->first_line + HTTP_HEAD_MAX
					    : HTTP_LINE_MAX;
		const char *why = NULL;

		if (len > left - p->head.len)
			return p->first_line
				       ? bad(h, 431, "headers_too_large",
					     "The headers are longer than 8 "
					     "KiB.")
				       : bad(h, 414, "uri_too_long",
					     "The request line is longer than "
					     "4 KiB.");
		writer_put(&p->head, in->at, len);
		if (p->head.failed)
			return bad(h, 503, "no_memory", "There is no memory.");
		*in = slice_from(*in, len);
		if (newline)
			why = end_line(p, &end);
		if (why)
			return bad_request(h, why);
	}
	p->head_whole = end;
	return HTTP_MORE;
}

static unsigned count_headers(const struct http_request *r, const char *name)
{
	unsigned count = 0;

	for (unsigned i = 0; i < r->header_count; i++)
		count += slice_equal_case(r->headers[i].name, slice_of(name));
	return count;
}

/* Its first line is no method to the parser, and so never a version. */
static bool is_http2(const struct http_parts *p)
{
	static const char begin[] = "PRI * HTTP/2";

	return p->head.len >= sizeof(begin) - 1 &&
	       memcmp(p->head.bytes, begin, sizeof(begin) - 1) == 0;
}

static enum http_event judge_parser(struct http *h)
{
	const enum http_errno error = HTTP_PARSER_ERRNO(&h->parts->parser);

	if (error == HPE_OK || error == HPE_PAUSED)
		return HTTP_MORE;
	if (error == HPE_INVALID_METHOD && !is_http2(h->parts))
		return bad(h, 501, "not_implemented",
			   "That method is not known.");
	if (error == HPE_INVALID_METHOD || error == HPE_INVALID_VERSION)
		return bad(h, 505, "version", "Only HTTP/1 is spoken here.");
	if (error == HPE_CB_body)
		return bad(h, 413, "body_too_large",
			   "The body is longer than 64 KiB.");
	if (error == HPE_CB_header_field)
		return bad(h, 431, "headers_too_large",
			   "There are more than 64 headers.");
	return bad_request(h, "The request is malformed.");
}

static bool read_target(struct http *h)
{
	struct slice url = h->parts->url;
	struct http_request *r = &h->request;
	struct http_parser_url u;

	if (url.len == 1 && url.at[0] == '*') {
		r->path = url;
		return true;
	}
	http_parser_url_init(&u);
	if (http_parser_parse_url(url.at, url.len, 0, &u) != 0)
		return false;
	r->path = SLICE("/");
	if (u.field_set & 1 << UF_PATH)
		r->path = (struct slice){url.at + u.field_data[UF_PATH].off,
					 u.field_data[UF_PATH].len};
	if (u.field_set & 1 << UF_QUERY)
		r->query = (struct slice){url.at + u.field_data[UF_QUERY].off,
					  u.field_data[UF_QUERY].len};
	return true;
}

static void read_method(struct http *h)
{
	struct http_request *r = &h->request;
	const char *name =
		http_method_str((enum http_method)h->parts->parser.method);

	r->verb_name = slice_of(name);
	r->verb = HTTP_VERB_OTHER;
	if (strcmp(name, "GET") == 0)
		r->verb = HTTP_VERB_GET;
	else if (strcmp(name, "HEAD") == 0)
		r->verb = HTTP_VERB_HEAD;
	else if (strcmp(name, "POST") == 0)
		r->verb = HTTP_VERB_POST;
}

/* What the parser let pass and we do not. */
static enum http_event judge_request(struct http *h)
{
	struct http_request *r = &h->request;
	const struct http_parser *parser = &h->parts->parser;
	const unsigned lengths = count_headers(r, "content-length"),
		       codings = count_headers(r, "transfer-encoding"),
		       hosts = count_headers(r, "host");
	const bool has_length = lengths == 1;

	if (parser->http_major != 1)
		return bad(h, 505, "version", "Only HTTP/1 is spoken here.");
	if (lengths > 1 || codings > 1 || (lengths && codings) ||
	    (codings && r->http_1_0))
		return bad_request(h, "The length of the body is ambiguous.");
	if (hosts > 1 || (hosts == 0 && !r->http_1_0))
		return bad_request(h, "There must be one Host header.");
	if (codings && !slice_equal_case(http_header(r, "transfer-encoding"),
					 SLICE("chunked")))
		return bad(h, 501, "not_implemented",
			   "Of transfer codings only chunked is known.");
	if (has_length && parser->content_length > HTTP_BODY_MAX)
		return bad(h, 413, "body_too_large",
			   "The body is longer than 64 KiB.");
	if (r->verb == HTTP_VERB_POST && !has_length && !codings)
		return bad(h, 411, "length_required",
			   "A POST needs Content-Length.");
	if (!read_target(h))
		return bad_request(h, "The request's target is malformed.");
	return HTTP_MORE;
}

/* The head is whole: hands it to the parser and judges the result. */
static enum http_event parse_head(struct http *h)
{
	struct http_parts *p = h->parts;
	struct http_request *r = &h->request;
	struct slice head = writer_slice(&p->head);
	struct slice expect;
	enum http_event event;

	*r = (struct http_request){.headers = p->headers};
	p->head_whole = false; /* what it finds now are headers */
	http_parser_execute(&p->parser, &callbacks, head.at, head.len);
	p->head_whole = true;
	event = judge_parser(h);
	if (event != HTTP_MORE)
		return event;
	r->header_count = p->header_count;
	r->http_1_0 = p->parser.http_minor == 0;
	r->keep_alive = http_should_keep_alive(&p->parser);
	r->host = http_header(r, "host");
	read_method(h);
	r->upgrade =
		r->verb == HTTP_VERB_GET && !r->http_1_0 &&
		http_has_word(http_header(r, "upgrade"), SLICE("websocket")) &&
		http_has_word(http_header(r, "connection"), SLICE("upgrade"));
	event = judge_request(h);
	expect = http_header(r, "expect");
	if (event != HTTP_MORE || expect.len == 0)
		return event;
	if (!slice_equal_case(expect, SLICE("100-continue")))
		return bad(h, 417, "expectation_failed",
			   "Of expectations only 100-continue is known.");
	return p->whole || r->http_1_0 ? HTTP_MORE : HTTP_EXPECTS;
}

static enum http_event take_body(struct http *h, struct slice *in)
{
	struct http_parts *p = h->parts;
	size_t used;
	enum http_event event;

	used = http_parser_execute(&p->parser, &callbacks, in->at, in->len);
	event = judge_parser(h);
	if (event != HTTP_MORE)
		return event;
	p->wire += used;
	*in = slice_from(*in, used);
	if (p->wire > WIRE_MAX)
		return bad(h, 413, "body_too_large",
			   "The body's chunks are too small.");
	return HTTP_MORE;
}

enum http_event http_feed(struct http *h, struct slice *in)
{
	enum http_event event = HTTP_MORE;

	if (h->parts && h->parts->whole)
		http_done(h);
	while (!h->parts && in->len > 0 &&
	       (in->at[0] == '\r' || in->at[0] == '\n'))
		*in = slice_from(*in, 1);
	if (in->len == 0)
		return HTTP_MORE;
	if (!h->parts && !begin(h))
		return bad(h, 503, "no_memory", "There is no memory.");
	if (!h->parts->head_whole) {
		event = gather_head(h, in);
		if (event == HTTP_MORE && h->parts->head_whole)
			event = parse_head(h);
	}
	if (event == HTTP_MORE && h->parts->head_whole && !h->parts->whole &&
	    in->len > 0)
		event = take_body(h, in);
	if (event != HTTP_MORE || !h->parts->whole)
		return event;
	h->request.body = writer_slice(&h->parts->body);
	return HTTP_WHOLE;
}

struct slice http_header(const struct http_request *r, const char *name)
{
	for (unsigned i = 0; i < r->header_count; i++)
		if (slice_equal_case(r->headers[i].name, slice_of(name)))
			return r->headers[i].value;
	return (struct slice){NULL, 0};
}

/* The next element of a list, without its parameters and blanks. */
static struct slice next_word(struct slice *list)
{
	struct slice item = {list->at, 0}, word;

	while (item.len < list->len && list->at[item.len] != ',')
		item.len++;
	*list = slice_from(*list, item.len);
	if (list->len > 0)
		*list = slice_from(*list, 1);
	word = item;
	for (word.len = 0; word.len < item.len && word.at[word.len] != ';';)
		word.len++;
	return slice_trim(word);
}

bool http_has_word(struct slice value, struct slice word)
{
	while (value.len > 0)
		if (slice_equal_case(next_word(&value), word))
			return true;
	return false;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int unescape(struct slice s, bool plus, char *out)
{
	size_t len = 0;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.at[i];

		if (c == '%') {
			int high = i + 2 < s.len ? hex_digit(s.at[i + 1]) : -1;
			int low = high >= 0 ? hex_digit(s.at[i + 2]) : -1;

			if (low < 0 || high * 16 + low == 0)
				return -1;
			c = (char)(high * 16 + low);
			i += 2;
		} else if (plus && c == '+') {
			c = ' ';
		}
		out[len++] = c;
	}
	out[len] = '\0';
	return (int)len;
}

int http_unescape(struct slice s, char *out)
{
	return unescape(s, false, out);
}

int http_query(const struct http_request *r, const char *name, char *out,
	       size_t size)
{
	struct slice rest = r->query, want = slice_of(name);

	while (rest.len > 0) {
		struct slice pair = {rest.at, 0}, key;

		while (pair.len < rest.len && rest.at[pair.len] != '&')
			pair.len++;
		rest = slice_from(rest, pair.len + (pair.len < rest.len));
		key = pair;
		for (key.len = 0; key.len < pair.len && key.at[key.len] != '=';)
			key.len++;
		if (!slice_equal(key, want))
			continue;
		pair = slice_from(pair, key.len + (key.len < pair.len));
		return pair.len < size ? unescape(pair, true, out) : -1;
	}
	return -1;
}

bool http_wants_html(const struct http_request *r)
{
	return http_has_word(http_header(r, "accept"), SLICE("text/html"));
}

bool http_wants_prometheus(const struct http_request *r)
{
	struct slice accept = http_header(r, "accept");

	return http_has_word(accept, SLICE("text/plain")) ||
	       http_has_word(accept, SLICE("application/openmetrics-text"));
}

bool http_is_unchanged(const struct http_request *r, struct slice etag)
{
	struct slice list = http_header(r, "if-none-match");

	while (list.len > 0) {
		struct slice one = next_word(&list);

		if (one.len > 2 && memcmp(one.at, "W/", 2) == 0)
			one = slice_from(one, 2);
		if (slice_equal(one, etag) || slice_equal(one, SLICE("*")))
			return true;
	}
	return false;
}
