/* SPDX-License-Identifier: MIT */
/*
 * fuzz_http.c - the first bytes of a connection, then requests in any pieces
 *
 * What comes out must not depend on how the stream was cut: it is read whole,
 * then in pieces whose sizes its first bytes say. Also: a verdict of sniffing
 * stays, and what a request tells is within its limits.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/http.h"
#include "core/sniff.h"

/* All requests that came out, and how it ended, as a hash. */
struct out {
	uint64_t hash;
	unsigned count;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(struct out *o, const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		o->hash =
			(o->hash ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3;
	o->count++;
}

static void put_slice(struct out *o, struct slice s)
{
	put(o, &s.len, sizeof(s.len));
	put(o, s.at, s.len);
}

static void judge(struct out *o, const struct http_request *r)
{
	char decoded[HTTP_LINE_MAX + 1];
	struct writer w;

	assert(r->path.len > 0 && r->path.len <= HTTP_LINE_MAX);
	assert(r->path.at[0] == '/' || r->path.at[0] == '*');
	assert(r->body.len <= HTTP_BODY_MAX);
	assert(r->header_count <= HTTP_HEADERS_MAX);
	assert(http_unescape(r->path, decoded) <= (int)r->path.len);
	http_query(r, "limit", decoded, sizeof(decoded));
	writer_init(&w, HTTP_RESPONSE_MAX);
	http_respond_maintenance(&w, r);
	http_is_unchanged(r, SLICE("\"x\""));
	assert(!w.failed);
	writer_free(&w);
	put_slice(o, r->verb_name);
	put_slice(o, r->path);
	put_slice(o, r->query);
	put_slice(o, r->host);
	put_slice(o, r->body);
	for (unsigned i = 0; i < r->header_count; i++) {
		put_slice(o, r->headers[i].name);
		put_slice(o, r->headers[i].value);
	}
	put(o, &r->keep_alive, sizeof(r->keep_alive));
	put(o, &r->upgrade, sizeof(r->upgrade));
}

/* Returns false when the connection would be closed. */
static bool feed(struct out *o, struct http *h, const char *bytes, size_t len)
{
	char *exact = malloc(len ? len : 1);
	struct slice in = {exact, len};
	bool goes_on = true;

	assert(exact);
	memcpy(exact, bytes, len);
	while (goes_on && in.len > 0) {
		enum http_event event = http_feed(h, &in);

		if (event == HTTP_WHOLE)
			judge(o, &h->request);
		if (event == HTTP_WHOLE && h->request.upgrade)
			goes_on = false;
		if (event == HTTP_EXPECTS)
			put(o, "expects", 7);
		if (event == HTTP_BAD) {
			put(o, &h->status, sizeof(h->status));
			goes_on = false;
		}
		assert(event != HTTP_MORE || in.len == 0 || h->parts);
	}
	free(exact);
	return goes_on;
}

static void sniff_all(struct slice stream)
{
	for (enum sniff_port port = SNIFF_AUTO; port <= SNIFF_ONLY_WEB;
	     port++) {
		enum sniff decided = SNIFF_MORE;

		for (size_t len = 0; len <= stream.len && len < 256; len++) {
			enum sniff now = sniff_first(
				port, (struct slice){stream.at, len});

			assert(decided == SNIFF_MORE || now == decided);
			decided = now;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t cuts = size < 4 ? size : 4, at = 0;
	const char *stream = (const char *)data + cuts;
	size_t len = size - cuts;
	struct out whole = {0}, cut = {0};
	struct http h;
	bool goes_on = true;

	sniff_all((struct slice){stream, len});
	http_init(&h);
	feed(&whole, &h, stream, len);
	http_free(&h);
	http_init(&h);
	for (size_t i = 0; goes_on && at < len; i++) {
		size_t n = 1 + (cuts ? data[i % cuts] % 40 : 0);

		if (n > len - at)
			n = len - at;
		goes_on = feed(&cut, &h, stream + at, n);
		at += n;
	}
	http_free(&h);
	assert(whole.hash == cut.hash && whole.count == cut.count);
	return 0;
}
