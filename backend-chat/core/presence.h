/* SPDX-License-Identifier: MIT */
/*
 * Who is in a room, on whichever instance, and what of it is announced: a join
 * at once, a part only after PRESENCE_QUIET_MS without a comeback, both in
 * batches. Pure, one owner. Times in ms of any clock that never goes back.
 */
#ifndef CHAT_PRESENCE_H
#define CHAT_PRESENCE_H

#include "core/name.h"
#include "core/slice.h"
#include "core/writer.h"

#include <stdint.h>

#define PRESENCE_QUIET_MS 10000
#define PRESENCE_BATCH_MS 250
#define PRESENCE_MAX	  100000 /* people of a room; further are not listed */

struct presence_person {
	int64_t quiet_ms; /* since then it is gone; 0: it is here */
	unsigned connections;
	bool announced;		     /* private: its join was */
	char instance[INSTANCE_MAX]; /* where it is, or was last */
	char nick[];
};

struct presence {
	struct presence_person **people; /* owned; sorted by nick, any case */
	unsigned count, capacity;
	unsigned here; /* without those that are quiet */
	/* Private. */
	int64_t batch_ms;      /* when news are due; 0: there are none */
	int64_t quiet_ms;      /* not before then does anybody's quiet end */
	struct writer renamed; /* nicks changed, as elements of a JSON list */
};

void presence_init(struct presence *p);
void presence_free(struct presence *p);

/*
 * Somebody came, or is now at that instance; also who was there before it was
 * followed. A nick is at one instance at a time: the last one that said so.
 * Returns 0 or -ENOMEM, which is also returned above PRESENCE_MAX.
 */
int presence_join(struct presence *p, struct slice nick, struct slice instance,
		  int64_t now_ms);
/* A connection of that nick ended; ignored if it is at another instance. */
void presence_part(struct presence *p, struct slice nick, struct slice instance,
		   int64_t now_ms);
/*
 * A connection of from is one of to now. As presence_join(). It is told as such
 * if from was there with that one connection, else to joins.
 */
int presence_rename(struct presence *p, struct slice from, struct slice to,
		    struct slice instance, int64_t now_ms);
/* Its lease ended: all of its people are quiet from now on. */
void presence_instance_gone(struct presence *p, struct slice instance,
			    int64_t now_ms);

/* When presence_batch() has something to do next; INT64_MAX: never. */
int64_t presence_deadline(const struct presence *p);

/*
 * If a batch is due, writes presence{room,join,part,nick} (wsjson.h) to w and
 * returns true. People that were quiet for long enough are removed.
 */
bool presence_batch(struct presence *p, struct slice room, int64_t now_ms,
		    struct writer *w);

#endif
