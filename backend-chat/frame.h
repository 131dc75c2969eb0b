/* SPDX-License-Identifier: MIT */
/*
 * Chat framing: a stream of bytes in, whole lines out. Pure: no system call,
 * no allocation, and what comes out does not depend on how the stream was cut
 * into reads. Both programs use it, the client also for its standard input.
 *
 *   - a line ends with "\n" or "\r\n" (telnet); neither is part of the line
 *   - NUL bytes are skipped: C peers would end the line there
 *   - a line longer than the bound is handed out in pieces, never cutting a
 *     UTF-8 character; pieces are text, never a command
 *   - with .probes, "HEALTH CHECK" at the start of a line is taken out of the
 *     stream as soon as its last byte arrives, with or without newline
 */
#ifndef CHAT_FRAME_H
#define CHAT_FRAME_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes in a line without its newline: what a terminal lets one type. */
#define CHAT_LINE_MAX 4096

#define CHAT_PROBE     "HEALTH CHECK"
#define CHAT_PROBE_LEN (sizeof(CHAT_PROBE) - 1)

/* What the server itself says to a client begins like this. */
#define CHAT_SERVER_NICK "[chat_serv] "

enum frame {
	FRAME_NONE,	  /* the input is used up */
	FRAME_LINE,	  /* .line, .line_len, .whole are set until next call */
	FRAME_PROBE,	  /* a probe, its newline not (yet) seen */
	FRAME_PROBE_LINE, /* a probe together with its newline */
	FRAME_PROBE_END,  /* the newline of the last FRAME_PROBE */
};

struct framer {
	char line[CHAT_LINE_MAX];
	size_t line_len; /* bytes of line[] the caller may look at */
	bool whole;	 /* a line as it was sent, not a piece of one */

	/* The rest is the framer's own. */
	size_t max;	  /* split lines longer than this */
	size_t len;	  /* bytes gathered in line[] */
	size_t used;	  /* of these, handed out by the last call */
	bool probes;	  /* recognise CHAT_PROBE */
	bool continued;	  /* line[] goes on after a piece handed out */
	bool after_probe; /* swallow one newline if it comes next */
};

/* max is at least 4 (one character) and at most CHAT_LINE_MAX. */
void framer_init(struct framer *f, size_t max, bool probes);

/* Consume from *in, moving it, up to the next event. */
enum frame framer_next(struct framer *f, const char **in, const char *end);

/* The stream has ended: FRAME_LINE if a last line without newline is left. */
enum frame framer_end(struct framer *f);

/* Is this line the word that leaves the chat? */
bool framer_line_quits(const struct framer *f);

#endif
