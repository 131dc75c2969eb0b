/* SPDX-License-Identifier: MIT */
/*
 * The message: a record that never changes, shared by all who send it.
 *
 * Ownership: msg_new() and msg_parse() give one reference; msg_ref() adds one,
 * msg_unref() gives one back from any thread, and the last one frees it. All
 * slices point into the message. Each form is made once, at the first demand of
 * any thread, and shared; forms need memory, so they can fail.
 *
 * The forms:
 *   line    "[NICK] text\n" for line clients; the very bytes that a line client
 *	     said, if it was one. A text of several lines begins each with the
 *	     nick, MSG_LINES_MAX at most, so that no line of it can pretend to
 *be somebody else's record  JSON for the bus and the archive (section 5 of the
 *design), and "raw" with the bytes of the line (base64) where the record itself
 *	     does not give them back
 *   json    the record without "raw", for clients; followed by a newline
 *   frame   json as one WebSocket text frame of the server
 */
#ifndef CHAT_MSG_H
#define CHAT_MSG_H

#include "core/ids.h"
#include "core/name.h"
#include "core/slice.h"

#include <jansson.h>
#include <stdint.h>

#define MSG_TEXT_MAX  4096  /* bytes of .text and of a line */
#define MSG_LINES_MAX 16    /* of one text; what follows goes into the last */
#define MSG_META_MAX  16384 /* bytes of the metadata as JSON */
/* The longest record: a text of control characters, escaped, and its line. */
#define MSG_RECORD_MAX 65536
#define MSG_WHY_MAX    160

enum msg_via { MSG_LINE, MSG_WS, MSG_WEBHOOK };

/* Also the specific event: "message:image" ...; of the first three "message" */
enum msg_type {
	MSG_TEXT,
	MSG_ACTION, /* /me */
	MSG_DIRECT, /* /msg, in an inbox; .to is the nick that gets it */
	MSG_IMAGE,
	MSG_FILE,
	MSG_LOCATION,
	MSG_AUDIO,
	MSG_TYPES
};

/* What a message is made from; everything is copied. */
struct msg_fields {
	struct msgid id;     /* MSGID_NONE: not in the log (yet) */
	struct msgid prev;   /* see struct msg */
	struct slice mid;    /* as stored (mid.h) */
	struct slice room;   /* name_is_room(), or an inbox */
	struct slice sender; /* nick or guest */
	struct slice to;     /* MSG_DIRECT only */
	struct slice text;   /* any bytes; cleaned by msg_new() (utf8.h) */
	struct slice raw; /* of a line: its bytes without newline; NULL: none */
	struct slice instance;	/* where it was said */
	const json_t *metadata; /* an object or NULL; "type" is set by us */
	int64_t ts_ms;		/* since 1970 */
	enum msg_via via;
	enum msg_type type;
	bool verified; /* the sender holds the nick's token */
};

struct msg {
	/* For everybody to read. */
	struct msgid id;
	/*
	 * The entry before it in the log as its poster knew it, MSGID_NONE if
	 * unknown. It matters, and is in the record ("prev"), only where an
	 * epoch begins: without it nobody knows where the old one ended.
	 */
	struct msgid prev;
	struct slice mid, room, sender, to, text, raw, instance;
	struct slice metadata; /* JSON of an object that has "type" */
	int64_t ts_ms;
	enum msg_via via;
	enum msg_type type;
	bool verified;
	/*
	 * The log has an earlier entry with this mid (merge.h). Set by the
	 * owner of the only reference that knows it; not in the record.
	 */
	bool repeat;

	/* Private to msg.c. */
	unsigned refs;
	size_t bytes;
	struct slice line;
	struct msg_form *record, *json; /* made at the first demand */
};

/* Returns 0, -ENOMEM, or -EMSGSIZE above the limits. */
int msg_new(struct msg **out, const struct msg_fields *fields);

/*
 * Reads a record. id and prev: what the log says; they win over the record's
 * own, which count where these are MSGID_NONE. Unknown fields are ignored, a
 * missing one that is needed (mid, room, sender, text, ts, instance, via,
 * metadata) or a wrong type gives -EINVAL with the reason in why. Also -ENOMEM.
 */
int msg_parse(struct msg **out, struct slice record, struct msgid id,
	      struct msgid prev, char why[MSG_WHY_MAX]);

struct msg *msg_ref(struct msg *m);
void msg_unref(struct msg *m); /* accepts NULL */

/*
 * The forms; empty without memory. They hold as long as the caller's reference
 * to the message.
 */
struct slice msg_line(const struct msg *m); /* with newline; never fails */
struct slice msg_record(struct msg *m);
struct slice msg_json(struct msg *m);	   /* without newline */
struct slice msg_json_line(struct msg *m); /* with newline */
struct slice msg_frame(struct msg *m);

/*
 * About how many bytes it takes with all of its forms: for limits. Does not
 * change.
 */
size_t msg_bytes(const struct msg *m);

const char *msg_type_name(enum msg_type type); /* "text", "image" ... */

#endif
