/* SPDX-License-Identifier: MIT */
/*
 * What a connection speaks, by its first bytes (section 4.0 of the design).
 * Pure: the caller keeps the bytes and asks again when more have come.
 */
#ifndef CHAT_SNIFF_H
#define CHAT_SNIFF_H

#include "core/slice.h"

/* Of a listening port. */
enum sniff_port { SNIFF_AUTO, SNIFF_ONLY_LINES, SNIFF_ONLY_WEB };

enum sniff {
	SNIFF_MORE,  /* cannot be told yet */
	SNIFF_LINES, /* classic; also the probe */
	SNIFF_HTTP,
	SNIFF_TLS,
	SNIFF_BAD, /* a web port got what is no HTTP: 400 and close */
};

/*
 * No first line is awaited longer: classic from here on, but HTTP on a web port
 * and if it asks for a path (414).
 */
#define SNIFF_MAX 4096

/*
 * first: all bytes so far. Lines are told as early as possible, so a connection
 * that begins with text is never held up; HTTP only by a complete line that
 * matches "^[A-Z]{3,8} [^ ]+ HTTP/1\.[01]$", or begins HTTP/2 (which gets 505).
 * "GET me a coffee" is a line.
 * NUL is in no request line.
 */
enum sniff sniff_first(enum sniff_port port, struct slice first);

#endif
