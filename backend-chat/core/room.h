/* SPDX-License-Identifier: MIT */
/*
 * A room as one worker has it: the members among its connections, each a cursor
 * into the room's log, and the ring of recent messages. Pure, one owner.
 *
 * A message that arrives is pushed. Members at the head get it at once (live
 * delivery is the fast path); a member whose connection does not take more is
 * set lagging and gets nothing until it drains; it then reads from its cursor
 * by room_read(): from the ring while that reaches back far enough, else from
 * the archive, whose items it is given by the owner. Resume and history on join
 * are the same: a cursor that is not at the head.
 */
#ifndef CHAT_CORE_ROOM_H
#define CHAT_CORE_ROOM_H

#include "core/ids.h"
#include "core/msg.h"
#include "core/name.h"

#include <stdint.h>

#define ROOM_RING 64 /* messages in memory */
#define ROOM_RING_BYTES                                       \
	((size_t)8 * 1024 * 1024) /* of all rooms of a worker \
				   */

struct room;

#define MEMBER_RANGES 4

/* Positions of a ring, from .from to before .end. */
struct member_range {
	uint64_t from, end;
};

/* Embedded in a connection, once for each of its rooms. Zeroed before use. */
struct member {
	struct member *next, *before; /* of the room; private */
	struct room *room;	      /* NULL: in none */
	void *owner;		      /* the connection; for the caller */
	/* It has all messages with an id up to this one. */
	struct msgid cursor;
	/*
	 * Private: which message of the ring it gets next, and since which it
	 * got all of them; and the same of before it was fed by the archive or
	 * fell out of the ring, the latest ones in which some had no id.
	 */
	struct member_range read, old[MEMBER_RANGES];
	/* Not at the head: gets nothing live. */
	bool lagging;
};

/* Bytes of all rings of one worker. */
struct room_budget {
	size_t used, max;
};

/* A message that was pushed without an id: where, and the hash of its mid. */
struct room_told {
	uint64_t position, hash;
	bool named; /* it came again with its id */
};

struct room {
	char name[ROOM_MAX_BYTES];
	char topic[TOPIC_MAX + 1];
	struct msgid head; /* the last message with an id that was pushed */
	struct member *members;
	unsigned here; /* number of members */
	/* Private. */
	struct room_budget *budget;
	struct msg *ring[ROOM_RING]; /* references */
	bool repeat[ROOM_RING];	     /* room_push_repeat() */
	uint64_t first, end;	     /* positions; the ring holds [first,end) */
	struct msgid floor;	     /* what came before position .first */
	struct room_told *told;	     /* owned; in order of position */
	unsigned told_count, told_capacity;
};

/*
 * head: the log's last id when the worker begins to follow it; where it begins
 * with a page of the log, msgid_before() of the first one. Borrows budget,
 * which outlives the room. name: a room or an inbox (name.h); copied.
 */
void room_init(struct room *r, struct slice name, struct msgid head,
	       struct room_budget *budget);
/* There are no members any more. */
void room_clear(struct room *r);

void room_set_topic(struct room *r, struct slice topic);

/* A member at the head: gets what comes from now on. */
void room_join(struct room *r, struct member *m, void *owner);
/*
 * A member that has everything up to after: lagging until it has read to the
 * head. after MSGID_NONE: from the oldest that there is.
 */
void room_resume(struct room *r, struct member *m, void *owner,
		 struct msgid after);
/*
 * A member that shall see the last count messages of the ring first; lagging if
 * there are any.
 */
void room_join_at(struct room *r, struct member *m, void *owner,
		  unsigned count);
void room_leave(struct member *m);

/*
 * A message came from the bus (MERGE_MESSAGE), was told without an id, or came
 * again with its id (MERGE_ID); adds a reference if it keeps it. The caller
 * then hands it to each member that is not lagging (room_each_live()); in the
 * last case to line clients only if !room_has(). Evicts from this ring
 * until the budget is kept, but never the newest.
 */
void room_push(struct room *r, struct msg *m);
/*
 * The same for MERGE_REPEAT: for JSON clients, of which some may have resumed
 * here without the first one. room_has() is true for it.
 */
void room_push_repeat(struct room *r, struct msg *m);

/*
 * True if m got the message before, when it had no id, or has later ones: a
 * line client must not get it (again), neither live nor from the ring nor from
 * the archive; it only takes it (room_took()). So lines come once and in order.
 * JSON clients get it and know it by mid. May be false for a client that fell
 * out of the ring MEMBER_RANGES times since it was told.
 */
bool room_has(const struct member *m, const struct msg *msg);

/*
 * The log lacks what is between the last message pushed and to (MERGE_GAP),
 * which is pushed next. The caller tells all members that are not lagging; the
 * others will find out, because what is before the gap is the archive's now.
 */
void room_gap(struct room *r, struct msgid to);

/*
 * Members that get the message just pushed, one after the other: begin with
 * NULL. Before the caller makes the one returned leave, it takes the next.
 */
struct member *room_each_live(struct room *r, struct member *after);

/*
 * The message just pushed was handed to m: moves its cursor. To be called for
 * each live member that took it, also for one that sees it by another way.
 */
void room_took(struct member *m, const struct msg *msg);

/* m's connection takes no more: it did not get the last message pushed. */
void room_lag(struct member *m);

enum room_read {
	ROOM_READ_MESSAGE, /* *out is next: hand it over, then room_took() */
	ROOM_READ_HEAD,	   /* nothing is left; m is live again */
	ROOM_READ_ARCHIVE, /* ask the archive for what follows m->cursor */
};

/* What a lagging member gets next. *out holds until the next room_push(). */
enum room_read room_read(struct member *m, struct msg **out);

/*
 * True if something is missing, or may be, between m->cursor and a message that
 * m is about to get, live, from the ring or from the archive: a JSON client is
 * told of the gap between m->cursor and msg->id before it is handed over. The
 * archive is asked first (also the log, where it has a hole).
 */
bool room_skips(const struct member *m, const struct msg *msg);

/*
 * The archive was asked for what follows m->cursor, and what it had was handed
 * over with room_took(), and it has no more. If the ring still does not follow,
 * some are missing: returns true and the gap, to be shown; m goes on with the
 * ring.
 *
 * The archive has every entry of the log, also repeats (merge.h): without them
 * ids would seem to be missing. The first of those with one mid is the message,
 * line clients do not get the others. In rare cases several messages have one
 * id: they are handed over together, then comes room_took().
 */
bool room_archive_ended(struct member *m, struct msgid *from, struct msgid *to);

/*
 * Messages of the ring with an id below before (MSGID_NONE: the last ones), at
 * most count, oldest first; no references. *complete: false if the archive may
 * have more.
 */
unsigned room_history(const struct room *r, struct msgid before,
		      struct msg **out, unsigned count, bool *complete);

#endif
