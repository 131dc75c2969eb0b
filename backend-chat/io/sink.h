/* SPDX-License-Identifier: MIT */
/*
 * What the bus tells the hub. For any thread; never blocks, takes no lock for
 * longer than work in memory, and never calls the bus.
 */
#ifndef CHAT_SINK_H
#define CHAT_SINK_H

#include "io/bus.h"

/*
 * A room that was asked for by follow() is there. head: the log's last id;
 * recent: its last messages, oldest first, for the ring, at most ROOM_RING.
 * They are not said to anybody.
 */
void hub_on_open(struct hub *h, struct slice room, struct slice topic,
		 struct msgid head, struct msg *const *recent, unsigned count);

/* MERGE_MESSAGE: is new. m has no id if it is told while Redis is down. */
void hub_on_message(struct hub *h, struct msg *m);
/* MERGE_ID: m was told before it had its id. */
void hub_on_identified(struct hub *h, struct msg *m);
/* MERGE_REPEAT: for JSON clients that may have come without the first one. */
void hub_on_repeated(struct hub *h, struct msg *m);
/* MERGE_GAP: messages between the two are missing and will not come. */
void hub_on_gap(struct hub *h, struct slice room, struct msgid from,
		struct msgid to);

enum posted {
	POSTED,		/* in the log, under that id */
	POSTED_REFUSED, /* not posted: Redis does not take it, no memory */
	POSTED_QUEUED,	/* told without an id; one of these follows: */
	POSTED_LATE,	/* in the log now, under that id */
	POSTED_UNTAKEN, /* refused now: nobody else will get it */
};

/* The sender has had an answer before. */
static inline bool posted_is_late(enum posted result)
{
	return result == POSTED_LATE || result == POSTED_UNTAKEN;
}

static inline bool posted_is_refused(enum posted result)
{
	return result == POSTED_REFUSED || result == POSTED_UNTAKEN;
}

/* mid: as stored. */
void hub_on_posted(struct hub *h, uint64_t ticket, enum posted result,
		   struct slice room, struct slice mid, struct msgid id);

/* As asked for by claim(). taken: somebody else holds it. */
void hub_on_claimed(struct hub *h, uint64_t ticket, struct slice nick,
		    struct slice hash, bool taken);

/* How many there are here, for the other instances. Asks, tells nothing. */
void hub_on_lease(struct hub *h, unsigned *clients, unsigned *rooms);

void hub_on_signal(struct hub *h, const struct signal *s);
void hub_on_state(struct hub *h, enum bus_state state);

#endif
