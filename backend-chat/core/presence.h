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
#define INSTANCE_MAX	  64	 /* bytes of an instance's id with the NUL */

struct presence_person {
	char nick[NAME_MAX_BYTES];
	char instance[INSTANCE_MAX];
	int64_t quiet_ms; /* since then it is gone; 0: it is here */
	unsigned connections;
	/* Private: what is to be announced. */
	bool announced, news;
};

struct presence {
	struct presence_person
		*people; /* owned; sorted by the key of the nick */
	unsigned count, capacity;
	unsigned here;	  /* without those that are quiet */
	int64_t batch_ms; /* when the batch is due; 0: nothing to announce */
	struct writer renamed; /* private: nicks changed, as JSON */
};

void presence_init(struct presence *p);
void presence_free(struct presence *p);

/* Each returns 0 or -ENOMEM. */
int presence_join(struct presence *p, struct slice nick, struct slice instance,
		  int64_t now_ms);
/* A connection of that nick at that instance ended. */
void presence_part(struct presence *p, struct slice nick, struct slice instance,
		   int64_t now_ms);
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

const struct presence_person *presence_find(const struct presence *p,
					    struct slice nick);

#endif
