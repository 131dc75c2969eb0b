/* SPDX-License-Identifier: MIT */
/* What workers share, for io/ only. */
#ifndef CHAT_SHARED_H
#define CHAT_SHARED_H

#include "core/presence.h"
#include "core/rate.h"
#include "io/clock.h"
#include "io/hub.h"
#include "io/metrics.h"
#include "io/note.h"
#include "io/store.h"
#include "pace.h"

#include <pthread.h>

struct worker;

/* Embedded in struct worker; guarded by hub->lock. */
struct inbox {
	struct note *first, **end;
	size_t bytes;
	bool crowded;	 /* more than hub_inbox_bytes(): speakers wait */
	bool woken;	 /* its worker will look into it */
	unsigned paused; /* connections of its worker that wait to speak */
	unsigned load;	 /* connections of its worker */
};

/* A room as the instance has it: who follows it, and who is in it. */
struct hub_room {
	struct hub_room *next;
	char name[ROOM_MAX_BYTES];
	char topic[TOPIC_MAX + 1];
	unsigned seats;	  /* connections of this instance in it */
	unsigned unnamed; /* of these, without a nick */
	struct presence presence;
};

struct hub {
	struct hub_options options;
	struct report *report;
	struct bus *bus;
	struct store *store; /* may be NULL */
	struct metrics metrics;
	struct worker *workers[HUB_WORKERS_MAX];
	unsigned worker_count;
	unsigned capacity; /* connections, those that leave included */
	int64_t started_ms;

	pthread_mutex_t lock; /* guards all fields below, and the inboxes */
	unsigned count;	      /* connections */
	unsigned present;     /* of these, announced or just arrived */
	unsigned here;	      /* of these, announced */
	unsigned awaited; /* clients that are behind and worth waiting for */
	unsigned crowded; /* inboxes that are too full */
	int64_t wary_ms;  /* until then silent clients are not awaited */
	struct pace_room pace;
	struct rate webhooks;
	struct hub_room *rooms;
	unsigned room_count;  /* of these, without inboxes */
	unsigned inbox_count; /* each of a connection, or empty */
	bool closing;	      /* every connection is told goodbye */
	bool draining;	      /* POST /api/admin/drain, or closing */
};

/* ------------------------------------------------------------ inboxes */

/*
 * How much may wait in an inbox before those who speak wait for its worker. It
 * must be less than what a client's queue keeps free above its half.
 */
size_t hub_inbox_bytes(const struct hub *h);

/* Takes the caller's reference; NULL is ignored. */
void hub_tell_all(struct hub *h, struct note *n);
/* To the worker of the ticket. */
void hub_tell_one(struct hub *h, uint64_t ticket, struct note *n);

/* ----------------------------------------------------------- speaking */

void hub_spend(struct hub *h, struct pace *speaker, size_t len, int64_t now_us);

/*
 * Microseconds until the speaker may speak, or 0. HUB_WHEN_CALM: until a
 * worker or a client has caught up. If it must wait, w is woken when all is
 * calm; .paused of w's inbox counts it if *paused was false, which is set.
 */
#define HUB_WHEN_CALM INT64_C(-1)
int64_t hub_wait_us(struct hub *h, struct worker *w, struct pace *speaker,
		    bool *paused, int64_t now_us);
void hub_resumed(struct hub *h, struct worker *w);

/* The caller holds the lock. Wakes those who wait to speak. */
void hub_calm(struct hub *h);

/* -------------------------------------------------------------- rooms */

/* The caller holds the lock. name: folded. NULL: it is not followed. */
struct hub_room *hub_room_find(struct hub *h, struct slice name);

/*
 * A connection takes a seat in the room, which NOTE_OPEN opens if it was not.
 * Returns 0, -ENOMEM, or -ENOSPC: there are too many rooms.
 */
int hub_sit(struct hub *h, struct slice room, bool named);
void hub_rise(struct hub *h, struct slice room, bool named);
/* One without a nick in the room got one. */
void hub_named(struct hub *h, struct slice room);

/* Announces what is due of who came and went; when to call it again. */
int64_t hub_announce(struct hub *h, int64_t now_ms);

/* Asks the store, or the bus if there is none. As bus->read(). */
int hub_read(struct hub *h, const struct page_question *question,
	     uint64_t ticket, bool from_bus);

/* Else the bus is asked, which may have less. */
static inline bool hub_has_store(const struct hub *h)
{
	return h->store && h->store->works(h->store);
}
#define HISTORY_UNAVAILABLE "The history cannot be read now."

void hub_rooms_free(struct hub *h);

#endif
