/* SPDX-License-Identifier: MIT */
/*
 * Commands of line clients (section 4.1 of the design): "/word ..." alone or
 * behind "[NICK] ". Pure. linecmd_parse() tells what a line is, the others
 * write the answers, each line "[chat_serv] ...".
 *
 * What is no command: "/" and a space, a digit or the end; "/usr/bin", because
 * only letters up to a space or the end make a command; and "//x" with a known
 * x, which says "/x". An unknown "/word" is refused and not said: a mistyped
 * "/mgs bob secret" must not be published.
 */
#ifndef CHAT_LINECMD_H
#define CHAT_LINECMD_H

#include "core/slice.h"
#include "core/writer.h"

#include <stdint.h>

#define LINECMD_HISTORY_DEFAULT 20
#define LINECMD_HISTORY_MAX	200
#define LINECMD_JOIN_HISTORY	10 /* lines shown by /join */
#define LINECMD_ROOMS_MAX	50
#define LINECMD_WHO_MAX		200
/* The longest answer: for writer_init(). */
#define LINECMD_ANSWER_MAX ((size_t)256 * 1024)

enum linecmd {
	LINECMD_NONE, /* text to be said: .prefix, then .text */
	LINECMD_HELP,
	LINECMD_JOIN, /* .name: a valid room */
	LINECMD_ROOMS,
	LINECMD_WHO,	 /* .name: a valid room, or empty for one's own */
	LINECMD_MSG,	 /* .name: a valid nick, .text */
	LINECMD_ME,	 /* .text */
	LINECMD_NICK,	 /* .name: a valid nick */
	LINECMD_TOPIC,	 /* .text; empty: show it */
	LINECMD_HISTORY, /* .count */
	LINECMD_SERVER,
	LINECMD_QUIT,
	LINECMD_JSON,
	LINECMD_REFUSED, /* answer linecmd_put_refusal() */
};

struct linecmd_line {
	enum linecmd what;
	struct slice prefix; /* "[NICK] " as it stands, or empty */
	struct slice nick;   /* what is in the brackets, if a valid name */
	struct slice name, text;
	unsigned count;
	bool slash_taken; /* LINECMD_NONE of "//x": .text lacks a "/" */
	/* LINECMD_REFUSED: a sentence, or NULL for an unknown .name. */
	const char *refusal;
};

/* line: without newline. The slices of out point into it. */
void linecmd_parse(struct slice line, struct linecmd_line *out);

/* One line of answer: "[chat_serv] " and the text and a newline. */
void linecmd_put(struct writer *w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

void linecmd_put_refusal(struct writer *w, const struct linecmd_line *line);
void linecmd_put_help(struct writer *w);
/* "you are in ROOM, N here: TOPIC"; topic may be empty */
void linecmd_put_joined(struct writer *w, struct slice room, unsigned here,
			struct slice topic);

struct linecmd_room {
	struct slice name, topic;
	unsigned here;
};

/* Sorts rooms by name, in place; shows LINECMD_ROOMS_MAX. */
void linecmd_put_rooms(struct writer *w, struct linecmd_room *rooms,
		       size_t count);

struct linecmd_person {
	struct slice nick, instance;
};

/* Sorts people by nick, in place; unnamed: further ones without a nick. */
void linecmd_put_who(struct writer *w, struct linecmd_person *people,
		     size_t count, unsigned unnamed);

/* Lines of history go between these two as they were said. */
void linecmd_put_history_head(struct writer *w, struct slice room,
			      unsigned count);
void linecmd_put_history_end(struct writer *w);

/* topic empty: "ROOM has no topic". */
void linecmd_put_topic(struct writer *w, struct slice room, struct slice topic);
/* proposal empty: the name was taken over by us: "you are NAME". */
void linecmd_put_nick(struct writer *w, struct slice name,
		      struct slice proposal);
/* kept: it waits for the nick, which has a token. */
void linecmd_put_absent(struct writer *w, struct slice nick, bool kept);

struct linecmd_server {
	struct slice instance, redis; /* redis: "up", "down" or "off" */
	uint64_t uptime_s;
	unsigned clients;
};

void linecmd_put_server(struct writer *w, const struct linecmd_server *server);

#endif
