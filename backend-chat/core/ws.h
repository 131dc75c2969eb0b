/* SPDX-License-Identifier: MIT */
/*
 * WebSocket of a server (RFC 6455), by wslay's frame layer: bytes in, messages
 * out. No I/O. No extension is offered.
 *
 * Memory: nothing between frames; within one wslay's buffer (4 KiB) and the
 * message so far, at most WS_MESSAGE_MAX.
 */
#ifndef CHAT_WS_H
#define CHAT_WS_H

#include "core/slice.h"

#include <stdint.h>

#define WS_MESSAGE_MAX	 16384 /* also of one frame; beyond: 1009 */
#define WS_FRAGMENTS_MAX 64    /* beyond: 1009 */
#define WS_CONTROL_MAX	 125
#define WS_HEADER_MAX	 10
#define WS_ACCEPT_LEN	 28
#define WS_SUBPROTOCOL	 "chat.1"

/* Close codes (RFC 6455 section 7.4.1, and our own). */
enum ws_close {
	WS_BYE = 1000,
	WS_DRAIN = 1001,
	WS_PROTOCOL = 1002,
	WS_UNSUPPORTED = 1003,
	WS_NO_CODE = 1005, /* never on the wire */
	WS_BAD_UTF8 = 1007,
	WS_TOO_BIG = 1009,
	WS_INTERNAL = 1011,
	WS_TAKEN_OVER = 4000, /* the nick is used elsewhere: do not return */
	WS_TOO_SLOW = 4001,
	WS_FLOOD = 4002,
	WS_FULL = 4003,
};

enum ws_opcode { WS_OP_TEXT = 1, WS_OP_CLOSE = 8, WS_OP_PING, WS_OP_PONG };

/* Sec-WebSocket-Key: base64 of 16 bytes. */
bool ws_key_is_valid(struct slice key);
/* Sec-WebSocket-Accept, with a NUL. False without memory. */
bool ws_accept(struct slice key, char out[WS_ACCEPT_LEN + 1]);

enum ws_event {
	WS_MORE,    /* nothing is left of the input */
	WS_MESSAGE, /* .data is a text message of valid UTF-8 */
	WS_PING,    /* answer with a pong of .data */
	WS_PONG,
	WS_CLOSE, /* .code (WS_NO_CODE without one) and .data, the reason:
		     answer with the same code, then close */
	WS_BAD,	  /* send a close frame of .code, then close */
};

struct ws {
	/* Of the last event; .data holds until the next ws_feed(). */
	struct slice data;
	unsigned code;
	const char *why;	/* of WS_BAD, for the log */
	struct ws_parts *parts; /* private; NULL between messages */
};

void ws_init(struct ws *w);
void ws_free(struct ws *w);

/*
 * Takes bytes from *in, which it advances, up to the next event. To be called
 * until it returns WS_MORE, also when *in is empty: wslay reads ahead. After
 * WS_CLOSE and WS_BAD nothing more may be fed.
 */
enum ws_event ws_feed(struct ws *w, struct slice *in);

/*
 * The header of a whole frame of the server with a payload of len bytes.
 * Returns its length.
 */
size_t ws_header(uint8_t out[WS_HEADER_MAX], enum ws_opcode opcode, size_t len);

/* A whole close frame. reason is cut to what fits. Returns its length. */
size_t ws_close_frame(uint8_t out[2 + WS_CONTROL_MAX], enum ws_close code,
		      struct slice reason);

#endif
