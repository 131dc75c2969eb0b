/* SPDX-License-Identifier: MIT */
/*
 * What workers are told through their inboxes. One note may be in the inbox of
 * every worker: it never changes, and the last one that reads it frees it.
 */
#ifndef CHAT_NOTE_H
#define CHAT_NOTE_H

#include "io/blob.h"
#include "io/sink.h"

#define HUB_WORKERS_MAX 4

struct conn;

enum note_kind {
	NOTE_CONN,	 /* .conn is new, for this worker */
	NOTE_OPEN,	 /* .room is open: .text the topic, .id the head,
			    .msgs the last messages */
	NOTE_SHUT,	 /* .room is not followed any more */
	NOTE_MESSAGE,	 /* .msgs[0] is said */
	NOTE_IDENTIFIED, /* .msgs[0] has its id now */
	NOTE_REPEATED,	 /* .msgs[0], for JSON clients only */
	NOTE_GAP,	 /* .id to .to are missing in .room */
	NOTE_POSTED,	 /* to .ticket: .posted, .room, .text the mid, .id */
	NOTE_CLAIMED,	 /* to .ticket: .room is the nick, .text the hash,
			    .flag: taken */
	NOTE_PAGE,	 /* to .ticket: .room, .msgs, .flag: more, .failed,
			    .gap; for a seat that lags */
	NOTE_HISTORY,	 /* the same, for people (page.h: .once) */
	NOTE_SIGNAL,	 /* .signal */
	NOTE_PRESENCE,	 /* .json for the JSON members of .room */
	NOTE_STATE,	 /* .state of the bus */
};

struct note {
	atomic_uint refs;
	enum note_kind kind;
	struct note *next[HUB_WORKERS_MAX]; /* in the inbox of worker i */
	struct conn *conn;
	uint64_t ticket;
	struct msgid id, to;
	enum posted posted;
	enum bus_state state;
	bool flag, failed, gap;
	struct slice room, text; /* into .tail */
	struct signal signal;	 /* its slices too */
	struct blob *json;
	size_t bytes; /* of what is said: for the limit of an inbox */
	char *tail;   /* owned */
	unsigned count;
	struct msg *msgs[];
};

/* One reference. NULL: no memory. Adds references to msgs. */
struct note *note_new(enum note_kind kind, struct msg *const *msgs,
		      unsigned count);
/* The same with copies of these texts as .room and .text. */
struct note *note_about(enum note_kind kind, struct slice room,
			struct slice text, struct msg *const *msgs,
			unsigned count);
struct note *note_of_signal(const struct signal *s);
/* Accepts NULL. */
void note_unref(struct note *n);

#endif
