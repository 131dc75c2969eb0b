/* SPDX-License-Identifier: MIT */
/* What workers share, for io/ only: hub.c, worker.c, conn.c and the wires. */
#ifndef CHAT_SHARED_H
#define CHAT_SHARED_H

#include "io/blob.h"
#include "io/hub.h"
#include "pace.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct conn;
struct worker;

/* One entry of a worker's inbox. */
struct note {
	struct note *next;
	struct conn *conn; /* a new connection; NULL: lines for everybody */
	size_t bytes;	   /* of all lines */
	unsigned count;
	struct blob *lines[];
};

/* Embedded in struct worker; guarded by hub->lock. */
struct inbox {
	struct note *first, **end;
	size_t bytes;
	bool crowded;	 /* more than INBOX_BYTES: speakers wait */
	bool woken;	 /* its worker will look into it */
	unsigned paused; /* connections of its worker that wait to speak */
	unsigned load;	 /* connections of its worker */
};

struct hub {
	struct hub_limits limits;
	struct report *report;
	struct worker *workers[HUB_WORKERS_MAX];
	unsigned worker_count;
	unsigned capacity; /* connections, those that leave included */

	pthread_mutex_t lock; /* guards all fields below, and the inboxes */
	unsigned count;	      /* connections */
	unsigned present;     /* of these, announced or just arrived */
	unsigned here;	      /* of these, announced */
	unsigned awaited; /* clients that are behind and worth waiting for */
	unsigned crowded; /* inboxes that are too full */
	int64_t wary_ms;  /* until then silent clients are not awaited */
	struct pace_room pace;
	unsigned long probes;
	bool closing;
};

/*
 * How much may wait in an inbox before those who speak wait for its worker. It
 * must be less than what a client's queue keeps free above its half.
 */
size_t hub_inbox_bytes(const struct hub *h);

/*
 * Says lines to everybody; w is the speaker's worker, which need not be woken.
 * Keeps no reference of the caller's. False: no memory, nobody hears it.
 */
bool hub_say(struct hub *h, struct worker *w, struct pace *speaker,
	     struct blob *const *lines, unsigned count, int64_t now_us);

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

#endif
