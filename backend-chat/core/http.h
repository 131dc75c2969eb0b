/* SPDX-License-Identifier: MIT */
/*
 * HTTP/1.1 requests in, responses out (section 4.3 of the design). The parser
 * is libhttp-parser; the head of a request is gathered and checked here first,
 * so limits and refusals do not hang on how it was cut. No I/O, no clock.
 *
 * Memory: nothing between requests; the head and the body of one while it is
 * being received, within the limits.
 */
#ifndef CHAT_HTTP_H
#define CHAT_HTTP_H

#include "core/slice.h"
#include "core/writer.h"

#include <stdint.h>

/* Beyond them: 414, 431, 431, 413. */
#define HTTP_LINE_MAX	 4096
#define HTTP_HEAD_MAX	 8192 /* headers without the request line */
#define HTTP_HEADERS_MAX 64
#define HTTP_BODY_MAX	 65536
/* The most that http_respond() writes, for writer_init(): page and head. */
#define HTTP_RESPONSE_MAX ((size_t)2 * 1024 * 1024)

enum http_verb {
	HTTP_VERB_GET,
	HTTP_VERB_HEAD,
	HTTP_VERB_POST,
	HTTP_VERB_OTHER
};

struct http_header {
	struct slice name, value; /* value: trimmed */
};

/*
 * A request. What it points to holds until http_done(), the next http_feed() or
 * http_free().
 */
struct http_request {
	enum http_verb verb;
	struct slice verb_name; /* as sent */
	struct slice path;  /* as sent, begins with "/" (or is "*"); no query */
	struct slice query; /* without "?"; may be empty */
	struct slice host;
	struct slice body;
	const struct http_header *headers;
	unsigned header_count;
	bool http_1_0;
	bool keep_alive; /* the connection may go on afterwards */
	bool upgrade;	 /* "Upgrade: websocket" and "Connection: upgrade" */
	struct slice id; /* for its owner: told back as X-Request-Id */
};

enum http_event {
	HTTP_MORE,    /* all input is consumed, no request yet */
	HTTP_WHOLE,   /* .request is complete */
	HTTP_EXPECTS, /* send HTTP_CONTINUE_LINE, then go on feeding */
	HTTP_BAD,     /* answer .status with .code, then close */
};

#define HTTP_CONTINUE_LINE "HTTP/1.1 100 Continue\r\n\r\n"

struct http {
	struct http_request request;
	/* HTTP_BAD */
	unsigned status;
	const char *code, *message;
	struct http_parts *parts; /* private; NULL between requests */
};

void http_init(struct http *h);
void http_free(struct http *h);

/*
 * Takes bytes from *in, which it advances, up to the next event. After
 * HTTP_WHOLE the rest of *in is the next request (or, after an upgrade, the
 * first frames): answer first, then feed it. After HTTP_BAD nothing more may be
 * fed.
 */
enum http_event http_feed(struct http *h, struct slice *in);

/* The request was answered: its memory is given back. */
void http_done(struct http *h);

/* True between the first byte of a request and its end: for 408. */
bool http_is_within(const struct http *h);
/* True while the head is not complete: header or body timeout. */
bool http_is_in_head(const struct http *h);

/* The first header of that name (any case); an empty slice if there is none. */
struct slice http_header(const struct http_request *r, const char *name);

/* True if the list value ("a, b;q=1") has that word, in any case. */
bool http_has_word(struct slice value, struct slice word);

/*
 * The value of name in the query, decoded. Returns its length and a NUL behind
 * it, or -1 if it is not there, malformed, or too long for out.
 */
int http_query(const struct http_request *r, const char *name, char *out,
	       size_t size);

/*
 * Undoes %XX. out: at least s.len + 1 bytes. Returns the length, with a NUL
 * behind it, or -1 for a malformed escape or %00.
 */
int http_unescape(struct slice s, char *out);

/* A browser asks: errors are pages then. */
bool http_wants_html(const struct http_request *r);
/* /metrics: Accept names text/plain or openmetrics. */
bool http_wants_prometheus(const struct http_request *r);

struct http_response {
	unsigned status;
	const char *type;  /* Content-Type; NULL without a body */
	struct slice body; /* sent but for HEAD; its length is always told */
	const char *cache; /* Cache-Control; NULL: "no-store" */
	struct slice etag; /* with quotes, or empty */
	const char *allow; /* of 405 */
	unsigned retry_after_s;	 /* 0: none */
	const char *cors_origin; /* Access-Control-Allow-Origin or NULL */
	bool page;		 /* with the CSP of section 10 */
	bool close;		 /* Connection: close */
	bool authenticate;	 /* of 401: WWW-Authenticate: Bearer */
	int64_t date_s;		 /* Date, since 1970; 0: none */
	bool websocket_version;	 /* of 426: Sec-WebSocket-Version: 13 */
};

/*
 * Appends head and body. r may be NULL (no request could be read): the
 * connection is then closed. Connection: close also unless r->keep_alive.
 * Returns true if the connection goes on.
 */
bool http_respond(struct writer *w, const struct http_request *r,
		  const struct http_response *response);

/*
 * Appends {"success":false,"error":CODE,"message":SENTENCE}, or a page with the
 * sentence for a browser. The fields of extra other than status, type and body
 * are taken as they are; it may be NULL.
 */
bool http_respond_error(struct writer *w, const struct http_request *r,
			unsigned status, const char *code, const char *message,
			const struct http_response *extra);

/* 503 with Retry-After: the friendly answer, in English and Vietnamese. */
#define HTTP_MAINTENANCE                                       \
	"Service under maintenance, please come back soon. / " \
	"D\xe1\xbb\x8b"                                        \
	"ch v\xe1\xbb\xa5 \xc4\x91"                            \
	"ang b\xe1\xba\xa3o tr\xc3\xac, xin vui l\xc3\xb2ng quay l\xe1\xba\xa1i sau."
bool http_respond_maintenance(struct writer *w, const struct http_request *r);

/* Appends the 101 of RFC 6455. key: the Sec-WebSocket-Key, checked (ws.h). */
bool http_respond_upgrade(struct writer *w, struct slice key, bool subprotocol);

/* True if If-None-Match of r names etag: answer 304. */
bool http_is_unchanged(const struct http_request *r, struct slice etag);

#endif
