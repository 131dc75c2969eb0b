/* SPDX-License-Identifier: MIT */
/*
 * fuzz_chat.c - a chat stream in any pieces
 *
 * What comes out must not depend on how the stream was cut: the input is read
 * whole, then in pieces whose sizes its first bytes say, and both must give
 * the same lines. What the client would print has no control character, and
 * does not begin with the server's name if the server lets it pass.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "nick.h"
#include "text.h"

#define LINE_MAX_HERE 64 /* short, so that lines are split */

/* Everything that came out: a kind, the length and the bytes of each line. */
struct out {
	size_t len, size;
	char *bytes;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(struct out *o, const void *bytes, size_t len)
{
	assert(o->len + len <= o->size);
	memcpy(o->bytes + o->len, bytes, len);
	o->len += len;
}

static void judge_shown(const struct framer *f)
{
	char shown[TEXT_CLEAN_MAX(LINE_MAX_HERE)];
	size_t len = text_clean(f->line, f->line_len, shown);

	assert(text_is_clean(shown, len));
	if (nick_is_servers(f->line, f->line_len))
		return;
	assert(len < strlen(CHAT_SERVER_NICK) ||
	       memcmp(shown, CHAT_SERVER_NICK, strlen(CHAT_SERVER_NICK)) != 0);
}

static void take(struct out *o, const struct framer *f, enum frame kind)
{
	uint8_t head[2] = {(uint8_t)kind, f->whole};

	/* When a probe's newline comes later it is an event of its own; cut
	 * elsewhere it is part of the probe's.
	 */
	if (kind == FRAME_PROBE_END)
		return;
	if (kind == FRAME_PROBE_LINE)
		head[0] = FRAME_PROBE;
	if (kind != FRAME_LINE)
		head[1] = 0;
	if (kind != FRAME_LINE && kind != FRAME_TELNET) {
		put(o, head, 2);
		return;
	}
	assert(f->line_len <= LINE_MAX_HERE);
	judge_shown(f);
	put(o, head, 2);
	put(o, &f->line_len, sizeof(f->line_len));
	put(o, f->line, f->line_len);
}

static void feed(struct out *o, struct framer *f, const char *in, size_t len)
{
	const char *end = in + len;
	enum frame kind;

	while ((kind = framer_next(f, &in, end)) != FRAME_NONE)
		take(o, f, kind);
	assert(in == end);
}

static void finish(struct out *o, struct framer *f)
{
	enum frame kind = framer_end(f);

	if (kind != FRAME_NONE)
		take(o, f, kind);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct framer whole, cut;
	size_t cuts = size < 8 ? size : 8, at = 0;
	const char *text = (const char *)data + cuts;
	size_t len = size - cuts;
	struct out a = {.size = len * 32 + 64}, b = a;

	a.bytes = malloc(a.size);
	b.bytes = malloc(b.size);
	assert(a.bytes && b.bytes);
	framer_init(&whole, LINE_MAX_HERE, true);
	framer_init(&cut, LINE_MAX_HERE, true);
	feed(&a, &whole, text, len);
	finish(&a, &whole);
	for (size_t i = 0; at < len; i++) {
		size_t n = 1 + (cuts ? data[i % cuts] % 24 : 0);

		if (n > len - at)
			n = len - at;
		feed(&b, &cut, text + at, n);
		at += n;
	}
	finish(&b, &cut);
	assert(a.len == b.len);
	assert(memcmp(a.bytes, b.bytes, a.len) == 0);
	free(a.bytes);
	free(b.bytes);
	return 0;
}
