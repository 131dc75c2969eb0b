/* SPDX-License-Identifier: MIT */
/* See ws.h. */
#include "core/ws.h"
#include "core/digest.h"
#include "core/utf8.h"

#include <wslay/wslay.h>

#include <stdlib.h>

/* RFC 6455 section 1.3. */
#define ACCEPT_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define KEY_LEN	    24

struct ws_parts {
	wslay_frame_context_ptr frames;
	struct slice in; /* what wslay has not taken yet */
	uint64_t taken;	 /* bytes that wslay took ... */
	uint64_t parsed; /* ... and those that frames were made of */
	/* The frame being received; opcode 0xff: none. */
	uint8_t opcode;
	bool fin;
	uint64_t payload, got;
	uint8_t control[WS_CONTROL_MAX];
	/* The message so far. */
	char *message;
	size_t len, capacity;
	unsigned fragments; /* 0: no message has begun */
};

#define NO_FRAME 0xff

bool ws_key_is_valid(struct slice key)
{
	uint8_t bytes[KEY_LEN / 4 * 3];
	size_t len;

	return key.len == KEY_LEN && base64_decode(key, bytes, &len) &&
	       len == 16;
}

bool ws_accept(struct slice key, char out[WS_ACCEPT_LEN + 1])
{
	char text[KEY_LEN + sizeof(ACCEPT_GUID)];
	uint8_t hash[DIGEST_SHA1];

	if (key.len != KEY_LEN)
		return false;
	memcpy(text, key.at, KEY_LEN);
	memcpy(text + KEY_LEN, ACCEPT_GUID, sizeof(ACCEPT_GUID));
	if (!digest_sha1((struct slice){text, sizeof(text) - 1}, hash))
		return false;
	base64_encode(hash, sizeof(hash), out);
	return true;
}

void ws_init(struct ws *w)
{
	*w = (struct ws){.code = WS_NO_CODE};
}

static void parts_free(struct ws_parts *p)
{
	if (!p)
		return;
	if (p->frames)
		wslay_frame_context_free(p->frames);
	free(p->message);
	free(p);
}

void ws_free(struct ws *w)
{
	parts_free(w->parts);
	w->parts = NULL;
}

/* wslay asks for input: gets what ws_feed() was given. */
static ssize_t give_input(uint8_t *buffer, size_t len, int flags,
			  void *user_data)
{
	struct ws_parts *p = user_data;

	(void)flags;
	if (len > p->in.len)
		len = p->in.len;
	if (len == 0)
		return -1; /* wslay: WANT_READ */
	memcpy(buffer, p->in.at, len);
	p->in = slice_from(p->in, len);
	p->taken += len;
	return (ssize_t)len;
}

static struct ws_parts *parts_new(void)
{
	static const struct wslay_frame_callbacks callbacks = {
		.recv_callback = give_input};
	struct ws_parts *p = calloc(1, sizeof(*p));

	if (p && wslay_frame_context_init(&p->frames, &callbacks, p) == 0) {
		p->opcode = NO_FRAME;
		return p;
	}
	free(p);
	return NULL;
}

static enum ws_event bad(struct ws *w, enum ws_close code, const char *why)
{
	w->code = code;
	w->why = why;
	return WS_BAD;
}

static bool is_control(uint8_t opcode)
{
	return opcode & 8;
}

/* The header of a frame: WS_MORE if it may go on. */
static enum ws_event judge_frame(struct ws *w, const struct wslay_frame_iocb *f)
{
	const struct ws_parts *p = w->parts;

	if (!f->mask)
		return bad(w, WS_PROTOCOL, "a frame is not masked");
	if (f->rsv)
		return bad(w, WS_PROTOCOL, "a reserved bit is set");
	switch (f->opcode) {
	case WSLAY_CONTINUATION_FRAME:
		if (p->fragments == 0)
			return bad(w, WS_PROTOCOL, "nothing to continue");
		if (p->fragments == WS_FRAGMENTS_MAX)
			return bad(w, WS_TOO_BIG, "too many fragments");
		break;
	case WSLAY_TEXT_FRAME:
		if (p->fragments)
			return bad(w, WS_PROTOCOL, "a message in a message");
		break;
	case WSLAY_BINARY_FRAME:
		return bad(w, WS_UNSUPPORTED, "a binary message");
	case WSLAY_CONNECTION_CLOSE:
	case WSLAY_PING:
	case WSLAY_PONG:
		if (!f->fin || f->payload_length > WS_CONTROL_MAX)
			return bad(w, WS_PROTOCOL, "a bad control frame");
		return WS_MORE;
	default: return bad(w, WS_PROTOCOL, "an unknown opcode");
	}
	if (f->payload_length > WS_MESSAGE_MAX - p->len)
		return bad(w, WS_TOO_BIG, "the message is too long");
	return WS_MORE;
}

/* What the header took, mask included (RFC 6455 section 5.2). */
static size_t header_bytes(uint64_t payload)
{
	return payload < 126 ? 6 : payload <= 0xffff ? 8 : 14;
}

static bool has_room(struct ws_parts *p, size_t len)
{
	size_t capacity = p->capacity ? p->capacity : 256;
	char *message;

	if (p->len + len <= p->capacity)
		return true;
	while (capacity < p->len + len)
		capacity *= 2;
	message = realloc(p->message, capacity);
	if (!message)
		return false;
	p->message = message;
	p->capacity = capacity;
	return true;
}

static bool is_close_code(unsigned code)
{
	return (code >= 1000 && code <= 1003) ||
	       (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

static enum ws_event end_close(struct ws *w)
{
	const struct ws_parts *p = w->parts;
	const struct slice reason = {(const char *)p->control + 2,
				     p->got > 2 ? (size_t)p->got - 2 : 0};

	w->code = WS_NO_CODE;
	w->data = reason;
	if (p->got == 0)
		return WS_CLOSE;
	if (p->got == 1)
		return bad(w, WS_PROTOCOL, "half a close code");
	w->code = (unsigned)p->control[0] << 8 | p->control[1];
	if (!is_close_code(w->code))
		return bad(w, WS_PROTOCOL, "a bad close code");
	if (!utf8_is_valid(reason))
		return bad(w, WS_BAD_UTF8, "the reason is not UTF-8");
	return WS_CLOSE;
}

/* The frame is complete. WS_MORE if that is no event. */
static enum ws_event end_frame(struct ws *w)
{
	struct ws_parts *p = w->parts;
	const uint8_t opcode = p->opcode;

	p->opcode = NO_FRAME;
	p->parsed += header_bytes(p->payload) + p->payload;
	if (is_control(opcode)) {
		w->data = (struct slice){(const char *)p->control,
					 (size_t)p->got};
		return opcode == WSLAY_PING   ? WS_PING
		       : opcode == WSLAY_PONG ? WS_PONG
					      : end_close(w);
	}
	p->fragments++;
	if (!p->fin)
		return WS_MORE;
	p->fragments = 0;
	w->data = (struct slice){p->message, p->len};
	p->len = 0;
	if (!utf8_is_valid(w->data))
		return bad(w, WS_BAD_UTF8, "the message is not UTF-8");
	return WS_MESSAGE;
}

/* A part of a frame came from wslay, or its header alone. */
static enum ws_event take_part(struct ws *w, const struct wslay_frame_iocb *f)
{
	struct ws_parts *p = w->parts;

	if (p->opcode == NO_FRAME) {
		enum ws_event event = judge_frame(w, f);

		if (event != WS_MORE)
			return event;
		p->opcode = f->opcode;
		p->fin = f->fin;
		p->payload = f->payload_length;
		p->got = 0;
	}
	if (is_control(p->opcode)) {
		memcpy(p->control + p->got, f->data, f->data_length);
	} else if (f->data_length > 0) {
		if (!has_room(p, f->data_length))
			return bad(w, WS_INTERNAL, "no memory");
		memcpy(p->message + p->len, f->data, f->data_length);
		p->len += f->data_length;
	}
	p->got += f->data_length;
	return p->got == p->payload ? end_frame(w) : WS_MORE;
}

/* Between messages nothing is kept. */
static void rest(struct ws *w)
{
	const struct ws_parts *p = w->parts;

	if (p->taken == p->parsed && p->opcode == NO_FRAME && p->fragments == 0)
		ws_free(w);
}

enum ws_event ws_feed(struct ws *w, struct slice *in)
{
	struct wslay_frame_iocb frame;
	enum ws_event event = WS_MORE;

	if (!w->parts && in->len > 0)
		w->parts = parts_new();
	if (!w->parts)
		return in->len ? bad(w, WS_INTERNAL, "no memory") : WS_MORE;
	w->parts->in = *in;
	while (event == WS_MORE) {
		ssize_t got = wslay_frame_recv(w->parts->frames, &frame);

		if (got == WSLAY_ERR_WANT_READ)
			break;
		event = got < 0 ? bad(w, WS_PROTOCOL, "a malformed frame")
				: take_part(w, &frame);
	}
	*in = w->parts->in;
	if (event == WS_MORE)
		rest(w);
	return event;
}

size_t ws_header(uint8_t out[WS_HEADER_MAX], enum ws_opcode opcode, size_t len)
{
	size_t bytes = len < 126 ? 0 : len <= 0xffff ? 2 : 8;

	out[0] = (uint8_t)(0x80 | opcode);
	out[1] = (uint8_t)(bytes == 0 ? len : bytes == 2 ? 126 : 127);
	for (size_t i = 0; i < bytes; i++)
		out[2 + i] = (uint8_t)((uint64_t)len >> (8 * (bytes - 1 - i)));
	return 2 + bytes;
}

size_t ws_close_frame(uint8_t out[2 + WS_CONTROL_MAX], enum ws_close code,
		      struct slice reason)
{
	size_t len = reason.len, header;
	uint8_t head[WS_HEADER_MAX];

	if (code == WS_NO_CODE) {
		return ws_header(out, WS_OP_CLOSE, 0);
	}
	/* Not within a character. */
	if (len > WS_CONTROL_MAX - 2) {
		len = WS_CONTROL_MAX - 2;
		while (len > 0 && (reason.at[len] & 0xc0) == 0x80)
			len--;
	}
	header = ws_header(head, WS_OP_CLOSE, len + 2);
	memcpy(out, head, header);
	out[header] = (uint8_t)((unsigned)code >> 8);
	out[header + 1] = (uint8_t)((unsigned)code & 0xff);
	if (len > 0)
		memcpy(out + header + 2, reason.at, len);
	return header + 2 + len;
}
