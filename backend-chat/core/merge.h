/* SPDX-License-Identifier: MIT */
/*
 * One room's log as an instance receives it: entries that come live, and pages
 * that it asks for when something may be missing, become one sequence without
 * repeats. Pure. One owner (the bus).
 *
 * The owner's loop:
 *   merge_live() for each entry that comes live;
 *   merge_wants_fill() then true: ask the log for entries after merge.head, and
 *   give the answer, in order, to merge_filled(), and at the end of the page to
 *   merge_fill_end(); if another page is wanted, merge_wants_fill() says so;
 *   merge_next() until it returns MERGE_NOTHING, after each of them.
 *
 * What came live while a page was on its way is held and merged by id. A gap
 * that the log itself has (it was trimmed, or lost its tail) is reported as
 * MERGE_GAP before the message that follows it, never passed over in silence.
 *
 * Repeats are told by mid, over the last MERGE_SEEN messages.
 */
#ifndef CHAT_MERGE_H
#define CHAT_MERGE_H

#include "core/ids.h"
#include "core/msg.h"

#include <stdint.h>

#define MERGE_SEEN 1024	 /* mids remembered */
#define MERGE_HELD 1024	 /* entries held while a page is on its way */
#define MERGE_PAGE 500	 /* entries to ask for at a time */
#define MERGE_TOLD 65536 /* messages told without an id that are remembered */

/* A growing ring of hashes of mids, the last MERGE_SEEN. */
struct merge_seen {
	uint64_t *hashes; /* owned */
	unsigned count, capacity, next;
};

enum merge_state {
	MERGE_LIVE,    /* at the head, nothing is known to be missing */
	MERGE_BEHIND,  /* something may be missing: a page is wanted */
	MERGE_FILLING, /* a page is on its way */
};

enum merge_what {
	MERGE_NOTHING,
	/*
	 * .msg is new. Say it to the room. Its id is above all before, but for
	 * one case: a log that lost its tail and was continued by a poster that
	 * knew less. What is new in it has an id that was used before; it comes
	 * late, not never.
	 */
	MERGE_MESSAGE,
	/*
	 * .msg was told before it had an id (merge_told()). JSON clients get it
	 * again, now with its id, and know it by mid; line clients that were
	 * told get nothing (room_has()).
	 */
	MERGE_ID,
	/*
	 * .msg is another entry with the mid of one that was handed out: a
	 * retry that was not known as such, or the log lost the first. Its
	 * sender gets an ack. JSON clients get it, too: some may have come here
	 * without the first; line clients do not (room_push_repeat()).
	 */
	MERGE_REPEAT,
	/*
	 * Between .from (the last one handed out) and .to the log lacks some.
	 * See room_gap().
	 */
	MERGE_GAP,
};

struct merge_out {
	enum merge_what what;
	struct msg *msg; /* a reference that the caller must give back */
	struct msgid from, to;
};

struct merge {
	/* The last one handed out or ready to be: the poster's floor. */
	struct msgid head;
	enum merge_state state;
	/* Private. */
	unsigned question;  /* the page that is on its way */
	struct msgid begin; /* older ones were never looked at */
	struct msgid asked; /* the last one held when the page was asked for */
	uint64_t hash_key;
	bool fresh;   /* nothing came yet: no gap before the first */
	bool dropped; /* an entry found no room in .held */
	struct merge_seen seen;
	/* Ids of repeats, the last MERGE_SEEN. */
	struct msgid *repeats;
	size_t repeat_count, repeat_capacity;
	uint64_t repeats_ever;
	/* Hashes of what was told without an id, in order. */
	uint64_t *told;
	size_t told_count, told_capacity;
	struct msg **held; /* sorted by id */
	size_t held_count, held_capacity;
	struct merge_out *ready; /* to be handed out, from .ready_start */
	size_t ready_count, ready_start, ready_capacity;
};

/*
 * hash_key: random, see mid_hash(). Begins BEHIND and fresh: the first page
 * should be the log's last entries (as many as history on join shows); nothing
 * before them is missed.
 */
void merge_init(struct merge *m, uint64_t hash_key);
void merge_free(struct merge *m);

/*
 * For a log in this process (no Redis): its head is known, nothing is missing.
 */
void merge_start(struct merge *m, struct msgid head);

/*
 * An entry came live. Takes no reference of the caller's. Returns 0 or -ENOMEM;
 * the entry is then lost, and the merge is BEHIND, so it is asked for again.
 */
int merge_live(struct merge *m, struct msg *msg);

/* The subscription was or may have been interrupted. */
void merge_interrupted(struct merge *m);

/* True if the owner should ask for a page. */
bool merge_wants_fill(const struct merge *m);
/*
 * Which one: true: the log's last entries, because nothing has come yet; false:
 * those after .head, from the first one if that is MSGID_NONE.
 */
bool merge_is_fresh(const struct merge *m);
/*
 * It does so now, after this call. Returns the number of the question, which
 * its answer brings along: an answer that was overtaken by an interruption is
 * ignored.
 */
unsigned merge_fill_begin(struct merge *m);
/* An entry of the page. As merge_live(). */
int merge_filled(struct merge *m, unsigned question, struct msg *msg);
/*
 * The page has ended. complete: the log had no more than this page; false if
 * there may be more, or if the answer failed.
 */
void merge_fill_end(struct merge *m, unsigned question, bool complete);

/* What to do next. */
struct merge_out merge_next(struct merge *m);

/*
 * A message is said to the local room without an id, because the log cannot be
 * reached. Returns 0 or -ENOMEM.
 */
int merge_told(struct merge *m, const struct msg *msg);

/*
 * True if an entry that is read from the log once more was a MERGE_REPEAT, or
 * will be. Of entries before the first page nothing is known.
 */
bool merge_is_repeat(const struct merge *m, const struct msg *msg);

/* True if a message of that stored mid was handed out or told: for retries. */
bool merge_has(const struct merge *m, struct slice stored_mid);

#endif
