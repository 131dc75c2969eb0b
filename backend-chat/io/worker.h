/* SPDX-License-Identifier: MIT */
/*
 * A worker: one thread, one epoll, the connections it was given. A connection
 * belongs to one worker for life, so it needs no lock.
 */
#ifndef CHAT_WORKER_H
#define CHAT_WORKER_H

#include "io/shared.h"
#include "io/timers.h"

#define READ_BYTES 4096
#define SAY_LINES  64

struct worker {
	struct hub *hub;
	struct inbox inbox; /* guarded by hub->lock */
	pthread_t thread;
	bool running;
	int epoll, wake; /* wake: eventfd */

	/* Owned by the thread. */
	struct conn *conns;  /* all of them */
	struct conn *dirty;  /* to be attended at the end of this turn */
	struct conn *paused; /* they wait to speak */
	struct conn *gone;   /* to be freed at the end of this turn */
	unsigned count;
	struct timers timers;
	int64_t now_us;	     /* the time of this turn */
	size_t undelivered;  /* bytes said since the inbox was drained */
	size_t unsent;	     /* bytes queued since the last attendance */
	bool closing;	     /* ends after the last connection */
	char in[READ_BYTES]; /* one read */
	struct blob *say[SAY_LINES]; /* complete lines, not said yet */
	unsigned say_count;
};

/* These return 0 or -errno. */
int worker_new(struct worker **out, struct hub *h);
int worker_start(struct worker *w);
/* Waits until the thread ends: hub->closing, and its last connection gone. */
void worker_join(struct worker *w);
void worker_free(struct worker *w);

/* For any thread, with the lock: adds to the inbox, wakes the worker. */
void worker_notify(struct worker *w, struct note *n);
void worker_wake(struct worker *w);

/* By the worker: delivers what its inbox has. */
void worker_drain(struct worker *w);

static inline int64_t worker_ms(const struct worker *w)
{
	return w->now_us / 1000;
}

#endif
