/* SPDX-License-Identifier: MIT */
/*
 * Chat framing: a stream of bytes in, complete lines out. Pure: no system
 * calls, no allocation, and the result does not depend on the boundaries of
 * reads. Both programs use it, the client for its standard input too.
 *
 *   - a line ends with "\n" or "\r\n" (telnet); neither is part of the line
 *   - NUL bytes are skipped: C peers would end the line there
 *   - a line longer than the bound is handed out in pieces, never cutting a
 *     UTF-8 character; pieces are text, never a command
 *   - for the server, "HEALTH CHECK" at the start of a line is taken out of the
 *     stream as soon as its last byte arrives, with or without newline
 *   - for the server, telnet's commands at the start of a line are taken out,
 *     too. A telnet client that edits lines itself sends them nowhere else: at
 *     the beginning, and when its user presses control-C. They are no UTF-8
 */
#ifndef CHAT_FRAME_H
#define CHAT_FRAME_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of a line without its newline: as many as a terminal lets one type. */
#define CHAT_LINE_MAX 4096

#define CHAT_PROBE     "HEALTH CHECK"
#define CHAT_PROBE_LEN (sizeof(CHAT_PROBE) - 1)

/* Lines of the server itself begin with this. */
#define CHAT_SERVER_NICK "[chat_serv] "

enum frame {
	FRAME_NONE,	  /* all input is consumed */
	FRAME_LINE,	  /* .line, .line_len, .whole hold until next call */
	FRAME_PROBE,	  /* a probe; its newline has not been seen (yet) */
	FRAME_PROBE_LINE, /* a probe with its newline */
	FRAME_PROBE_END,  /* the newline of the last FRAME_PROBE */
	FRAME_TELNET,	  /* .line has the answer to a DO or WILL */
};

struct framer {
	char line[CHAT_LINE_MAX];
	size_t line_len; /* bytes of line[] that the caller may read */
	bool whole;	 /* a complete line, not a piece of one */

	/* Private to the framer. */
	size_t max;	  /* split lines longer than this */
	size_t len;	  /* bytes gathered in line[] */
	size_t used;	  /* of these, bytes that the last call handed out */
	bool serves;	  /* recognise CHAT_PROBE and telnet */
	bool continued;	  /* line[] continues after a piece */
	bool after_probe; /* skip one newline if it comes next */
};

/* max: 4 (one character) to CHAT_LINE_MAX. */
void framer_init(struct framer *f, size_t max, bool serves);

/* Consumes *in, which it advances, up to the next event. */
enum frame framer_next(struct framer *f, const char **in, const char *end);

/*
 * The stream has ended. Returns FRAME_LINE if a last line without newline is
 * left.
 */
enum frame framer_end(struct framer *f);

/* True between lines, after FRAME_NONE: a new framer would do as well. */
bool framer_is_idle(const struct framer *f);

/* True if the line is the word that leaves the chat. */
bool framer_line_quits(const struct framer *f);

#endif
