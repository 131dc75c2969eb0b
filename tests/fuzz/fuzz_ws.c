/* SPDX-License-Identifier: MIT */
/*
 * fuzz_ws.c - frames of a client in any pieces
 *
 * The input is a stream as it is, or, so that more gets past the mask, a
 * recipe: a first byte of the frame, a length and the payload, and so on. What
 * comes out must not depend on how the stream was cut.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"
#include "core/ws.h"

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

/* Frames by the recipe; out: room for size * 8 + 16 bytes. */
static size_t cook(const uint8_t *in, size_t size, char *out)
{
	static const uint8_t mask[4] = {0x12, 0, 0xff, 0x80};
	size_t len = 0;

	while (size >= 2) {
		uint8_t head[WS_HEADER_MAX];
		size_t payload = in[1] < size - 2 ? in[1] : size - 2;
		size_t header = ws_header(head, WS_OP_TEXT, payload);

		head[0] = in[0];
		head[1] |= 0x80;
		memcpy(out + len, head, header);
		memcpy(out + len + header, mask, 4);
		len += header + 4;
		for (size_t i = 0; i < payload; i++)
			out[len++] = (char)(in[2 + i] ^ mask[i % 4]);
		in += 2 + payload;
		size -= 2 + payload;
	}
	return len;
}

static bool feed(struct out *o, struct ws *w, const char *bytes, size_t len)
{
	char *exact = malloc(len ? len : 1);
	struct slice in = {exact, len};
	enum ws_event event;

	assert(exact);
	memcpy(exact, bytes, len);
	do {
		event = ws_feed(w, &in);
		if (event != WS_MORE)
			put(o, &event, sizeof(event));
		if (event == WS_MESSAGE || event == WS_PING ||
		    event == WS_PONG || event == WS_CLOSE)
			put(o, w->data.at, w->data.len);
		if (event == WS_CLOSE || event == WS_BAD)
			put(o, &w->code, sizeof(w->code));
		if (event == WS_MESSAGE)
			assert(w->data.len <= WS_MESSAGE_MAX &&
			       utf8_is_valid(w->data));
	} while (event != WS_MORE && event != WS_CLOSE && event != WS_BAD);
	free(exact);
	return event == WS_MORE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t cuts = size < 5 ? size : 5, at = 0, len = size - cuts;
	char *stream = malloc(size * 8 + 16);
	struct out whole = {0}, cut = {0};
	struct ws w;
	bool goes_on = true;

	assert(stream);
	if (cuts > 4 && data[4] & 1)
		len = cook(data + cuts, len, stream);
	else
		memcpy(stream, data + cuts, len);
	ws_init(&w);
	feed(&whole, &w, stream, len);
	ws_free(&w);
	ws_init(&w);
	for (size_t i = 0; goes_on && at < len; i++) {
		size_t n = 1 + data[i % cuts] % 40;

		if (n > len - at)
			n = len - at;
		goes_on = feed(&cut, &w, stream + at, n);
		at += n;
	}
	ws_free(&w);
	assert(whole.hash == cut.hash && whole.count == cut.count);
	free(stream);
	return 0;
}
