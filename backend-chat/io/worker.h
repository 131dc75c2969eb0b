/* SPDX-License-Identifier: MIT */
/*
 * A worker: one thread, one epoll, the connections it was given. A connection
 * belongs to one worker for life, so it needs no lock.
 */
#ifndef CHAT_WORKER_H
#define CHAT_WORKER_H

#include "core/room.h"
#include "io/shared.h"
#include "io/timers.h"

#define READ_BYTES	    4096
#define WORKER_ROOM_BUCKETS 256
/* Timers that belong to no connection. */
#define TIMERS_OF_WORKER 1

struct wroom;

struct worker {
	struct hub *hub;
	unsigned index;	    /* in hub->workers */
	struct inbox inbox; /* guarded by hub->lock */
	pthread_t thread;
	bool running;
	int epoll, wake; /* wake: eventfd */
	/* When the last turn began, for /health; any thread reads it. */
	_Atomic int64_t turn_ms;

	/* Owned by the thread. */
	struct conn *conns;  /* all of them */
	struct conn *dirty;  /* to be attended at the end of this turn */
	struct conn *paused; /* they wait to speak */
	struct conn *gone;   /* to be freed at the end of this turn */
	unsigned count;
	struct conn **slots; /* by ticket; NULL: free */
	unsigned slot_count;
	uint32_t serial; /* of the last connection */
	struct wroom *rooms[WORKER_ROOM_BUCKETS];
	struct room_budget budget;
	struct timers timers;
	struct timer announce; /* worker 0 announces who came and went */
	int64_t now_us;	       /* the time of this turn */
	size_t undelivered;    /* bytes said since the inbox was drained */
	size_t unsent;	       /* bytes queued since the last attendance */
	bool draining;	       /* JSON clients were sent away */
	bool closing;	       /* ends after the last connection */
	bool told_itself;      /* its inbox has something of its own */
	char in[READ_BYTES];   /* one read */
	uint8_t random[256];   /* not used yet, from .random_used */
	size_t random_used;
};

/* These return 0 or -errno. */
int worker_new(struct worker **out, struct hub *h, unsigned index);
int worker_start(struct worker *w);
/* Waits until the thread ends: hub->closing, and its last connection gone. */
void worker_join(struct worker *w);
void worker_free(struct worker *w);

/* For any thread, with the lock: adds to the inbox, wakes the worker. */
void worker_notify(struct worker *w, struct note *n);
void worker_wake(struct worker *w);

/*
 * Gives the connection a ticket, which names its worker and its slot. False: no
 * memory.
 */
bool worker_enter(struct worker *w, struct conn *c);
void worker_exit(struct worker *w, const struct conn *c);

/* Random bytes without a system call each time. */
void worker_random(struct worker *w, void *out, size_t len);

/* By the worker: delivers what its inbox has. */
void worker_drain(struct worker *w);

static inline int64_t worker_ms(const struct worker *w)
{
	return w->now_us / 1000;
}

#endif
