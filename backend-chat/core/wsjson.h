/* SPDX-License-Identifier: MIT */
/*
 * The JSON objects of section 4.2 of the design: what clients say, as a struct;
 * what the server says, as text. The same for WebSocket messages and for lines
 * after /json. Pure.
 */
#ifndef CHAT_WSJSON_H
#define CHAT_WSJSON_H

#include "core/ids.h"
#include "core/msg.h"
#include "core/slice.h"
#include "core/writer.h"

#include <jansson.h>
#include <stdint.h>

#define WSJSON_ROOMS_MAX   32  /* rooms of a connection */
#define WSJSON_HISTORY_MAX 200 /* .limit */
#define WSJSON_HISTORY	   50  /* its default */
#define WSJSON_CLIENT_MAX  64  /* bytes of .client that are kept */
/* The longest object that the server makes, for writer_init(): a history. */
#define WSJSON_MAX ((size_t)16 * 1024 * 1024)

/* "t" */
enum wsjson_type {
	WSJSON_HELLO,	    /* nick token rooms client */
	WSJSON_JOIN,	    /* room after */
	WSJSON_LEAVE,	    /* room */
	WSJSON_MSG,	    /* room mid text metadata retry */
	WSJSON_DM,	    /* to mid text */
	WSJSON_NICK,	    /* nick */
	WSJSON_TOPIC,	    /* room text */
	WSJSON_WHO,	    /* room */
	WSJSON_ROOMS,	    /* - */
	WSJSON_HISTORY_ASK, /* room before limit */
	WSJSON_TYPING,	    /* room */
	WSJSON_PING,	    /* n */
	WSJSON_TYPES
};

struct wsjson_room {
	struct slice name;
	struct msgid after; /* MSGID_NONE: from now on */
	bool has_after;
};

/* The fields that its type has; the others are empty. */
struct wsjson {
	enum wsjson_type type;
	struct slice nick, token, client;
	struct slice room, to, mid, text;
	struct msgid after, before;
	bool has_after;
	bool retry;
	unsigned limit;
	int64_t n;
	enum msg_type msg_type; /* of metadata; MSG_TEXT without */
	json_t *metadata;	/* owned; the checked fields; NULL: none */
	struct wsjson_room rooms[WSJSON_ROOMS_MAX];
	unsigned room_count;

	/* Of an error. */
	const char *code;  /* "bad_json", "unknown_type" ... */
	char message[200]; /* a sentence */
	struct slice ref;  /* the mid, if there was one; else "t" */
	json_t *root;	   /* owns what the slices point into */
};

/*
 * Checks every field that the type has: rooms and nicks valid, mid valid, text
 * of at most MSG_TEXT_MAX bytes and not empty, ids, limit 1 to
 * WSJSON_HISTORY_MAX. metadata of a type (image ...) is checked as the webhook
 * of that type is. Returns false with .code, .message and .ref:
 * bad_json, unknown_type, missing_field, bad_field, too_long.
 * Always needs wsjson_free() afterwards.
 */
bool wsjson_parse(struct wsjson *j, struct slice text);
void wsjson_free(struct wsjson *j);

/*
 * What the server says. Each writes one object without newline. Slices are
 * UTF-8. Messages themselves: msg_json().
 */
struct wsjson_welcome {
	struct slice instance, nick, token, version;
	const char *redis; /* "up", "down", "off" */
	unsigned spread_ms, ping_s;
};

void wsjson_put_welcome(struct writer *w, const struct wsjson_welcome *welcome);
void wsjson_put_joined(struct writer *w, struct slice room, struct slice topic,
		       bool e2ee, struct msgid head, unsigned members);
void wsjson_put_left(struct writer *w, struct slice room);
/* mid: the client's own (mid_own()) */
void wsjson_put_ack(struct writer *w, struct slice mid, struct msgid id);
/* ref may be empty. */
void wsjson_put_error(struct writer *w, const char *code, struct slice message,
		      struct slice ref);
void wsjson_put_gap(struct writer *w, struct slice room, struct msgid from,
		    struct msgid to);
void wsjson_put_state(struct writer *w, const char *redis);
void wsjson_put_reconnect(struct writer *w, unsigned in_ms);
void wsjson_put_pong(struct writer *w, int64_t n);
void wsjson_put_nick(struct writer *w, struct slice nick);
void wsjson_put_topic(struct writer *w, struct slice room, struct slice topic,
		      struct slice nick);
void wsjson_put_typing(struct writer *w, struct slice room, struct slice nick);

struct wsjson_person {
	struct slice nick, instance;
};

void wsjson_put_members(struct writer *w, struct slice room,
			const struct wsjson_person *people, size_t count,
			unsigned unnamed);

struct wsjson_room_line {
	struct slice name, topic;
	unsigned here;
	bool e2ee;
};

void wsjson_put_rooms(struct writer *w, const struct wsjson_room_line *rooms,
		      size_t count);
/* items: oldest first; more: there are older ones; also for GET history. */
void wsjson_put_history(struct writer *w, struct slice room,
			struct msg *const *items, size_t count, bool more,
			bool complete);

#endif
