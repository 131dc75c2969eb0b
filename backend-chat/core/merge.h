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

#define MERGE_SEEN 1024 /* mids remembered */
#define MERGE_HELD 1024 /* entries held while a page is on its way */
#define MERGE_PAGE 500	/* entries to ask for at a time */

/* A growing ring of hashes of mids, the last MERGE_SEEN. */
struct merge_seen {
	uint64_t *hashes; /* owned */
	unsigned count, capacity, next;
};

struct merge_entry {
	struct msg *msg; /* a reference */
	struct msgid prev;
};

enum merge_state {
	MERGE_LIVE,    /* at the head, nothing is known to be missing */
	MERGE_BEHIND,  /* something may be missing: a page is wanted */
	MERGE_FILLING, /* a page is on its way */
};

struct merge {
	struct msgid head;  /* the last one handed out: the poster's floor */
	struct msgid begin; /* older ones were never looked at */
	enum merge_state state;
	/* Private. */
	uint64_t hash_key;
	bool fresh;	 /* nothing was handed out: no gap before the first */
	bool page_empty; /* nothing of the current page was new */
	bool log_ended;	 /* the log has nothing after head but what is held */
	struct merge_seen seen;
	uint64_t *told; /* hashes of what was told without an id, in order */
	size_t told_count, told_capacity;
	struct merge_entry *held; /* sorted by id */
	size_t held_count, held_capacity;
	struct merge_entry *ready; /* in order, to be handed out */
	size_t ready_count, ready_start, ready_capacity;
};

enum merge_what {
	MERGE_NOTHING,
	/* .msg is new. Say it to the room. */
	MERGE_MESSAGE,
	/*
	 * .msg was told before it had an id (merge_told()). JSON clients learn
	 * the id, line clients get nothing.
	 */
	MERGE_ID,
	/* .msg repeats one that was handed out. Only its sender gets an ack. */
	MERGE_REPEAT,
	/* Between .from (the last one handed out) and .to some are missing. */
	MERGE_GAP,
};

struct merge_out {
	enum merge_what what;
	struct msg *msg; /* a reference that the caller must give back */
	struct msgid from, to;
};

/* hash_key: random, see mid_hash(). Begins BEHIND and fresh: the first page
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
 * An entry came live. Takes no reference of the caller's. prev: see
 * msgid_step(). Returns 0 or -ENOMEM; the entry is then lost, and the merge is
 * BEHIND, so it is asked for again.
 */
int merge_live(struct merge *m, struct msg *msg, struct msgid prev);

/* The subscription was or may have been interrupted. */
void merge_interrupted(struct merge *m);

/* True if the owner should ask for a page after .head (or the last page). */
bool merge_wants_fill(const struct merge *m);
/* It did. */
void merge_fill_begin(struct merge *m);
/* As merge_live(). */
int merge_filled(struct merge *m, struct msg *msg, struct msgid prev);
/*
 * The page has ended. complete: the log had no more than this page; false if
 * there may be more, or if the answer failed.
 */
void merge_fill_end(struct merge *m, bool complete);

/* What to do next. */
struct merge_out merge_next(struct merge *m);

/*
 * A message is said to the local room without an id, because the log cannot be
 * reached. Returns 0 or -ENOMEM.
 */
int merge_told(struct merge *m, const struct msg *msg);

/* True if a message of that stored mid was handed out or told: for retries. */
bool merge_has(const struct merge *m, struct slice stored_mid);

#endif
