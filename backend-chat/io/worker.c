/* SPDX-License-Identifier: MIT */
/*
 * See worker.h. A turn: what epoll reports, the inbox, the deadlines; then the
 * connections that any of these touched are attended, so one send() carries all
 * lines of a turn.
 */
#include "io/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX 64
/*
 * Bytes said, or queued, before the turn's end is not waited for: far less than
 * a queue holds.
 */
#define UNDELIVERED_MAX 16384
#define UNSENT_MAX	16384

static int64_t clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* -------------------------------------------------------------- inbox */

void worker_wake(struct worker *w)
{
	const uint64_t one = 1;

	/* Fails only if the counter is full; the worker is awake then. */
	if (!w->inbox.woken && write(w->wake, &one, sizeof(one)) == -1)
		return;
	w->inbox.woken = true;
}

void worker_notify(struct worker *w, struct note *n)
{
	n->next = NULL;
	*w->inbox.end = n;
	w->inbox.end = &n->next;
	w->inbox.bytes += n->bytes;
	if (!w->inbox.crowded && w->inbox.bytes > hub_inbox_bytes(w->hub)) {
		w->inbox.crowded = true;
		w->hub->crowded++;
	}
	worker_wake(w);
}

static struct note *take_inbox(struct worker *w, bool *closing)
{
	struct hub *h = w->hub;
	struct note *list;

	pthread_mutex_lock(&h->lock);
	list = w->inbox.first;
	w->inbox.first = NULL;
	w->inbox.end = &w->inbox.first;
	w->inbox.bytes = 0;
	w->inbox.woken = false;
	if (w->inbox.crowded) {
		w->inbox.crowded = false;
		if (--h->crowded == 0)
			hub_calm(h);
	}
	*closing = h->closing;
	pthread_mutex_unlock(&h->lock);
	return list;
}

static void attend_dirty(struct worker *w)
{
	while (w->dirty) {
		struct conn *c = w->dirty;

		w->dirty = c->next_dirty;
		c->dirty = false;
		conn_attend(c);
	}
	w->unsent = 0;
}

static void deliver(struct worker *w, struct blob *line)
{
	for (struct conn *c = w->conns; c; c = c->next)
		conn_queue_line(c, line);
	w->unsent += line->len;
	if (w->unsent > UNSENT_MAX)
		attend_dirty(w);
}

void worker_drain(struct worker *w)
{
	bool closing;
	struct note *list = take_inbox(w, &closing);

	w->undelivered = 0;
	while (list) {
		struct note *n = list;

		list = n->next;
		if (n->conn)
			conn_start(n->conn, w);
		for (unsigned i = 0; i < n->count; i++) {
			deliver(w, n->lines[i]);
			blob_unref(n->lines[i]);
		}
		free(n);
	}
	if (!closing || w->closing)
		return;
	w->closing = true;
	for (struct conn *c = w->conns; c; c = c->next)
		conn_say_goodbye(c);
}

/* --------------------------------------------------------------- turn */

static void free_gone(struct worker *w)
{
	while (w->gone) {
		struct conn *c = w->gone;

		w->gone = c->next;
		conn_free(c);
	}
}

/* Woken: perhaps because those who wait may speak. */
static void on_wake(struct worker *w)
{
	struct conn *list = w->paused;
	uint64_t times;

	if (read(w->wake, &times, sizeof(times)) == -1)
		return;
	w->paused = NULL;
	while (list) {
		struct conn *c = list;

		list = c->next_paused;
		conn_on_calm(c);
	}
}

static void on_event(struct worker *w, const struct epoll_event *event)
{
	if (event->data.ptr)
		conn_on_events(event->data.ptr, event->events);
	else
		on_wake(w);
	if (w->undelivered > UNDELIVERED_MAX)
		worker_drain(w);
}

static void turn(struct worker *w)
{
	struct epoll_event events[EVENTS_MAX];
	int count = epoll_wait(w->epoll, events, EVENTS_MAX,
			       timers_wait_ms(&w->timers, worker_ms(w)));
	struct timer *t;

	w->now_us = clock_us();
	for (int i = 0; i < count; i++)
		on_event(w, &events[i]);
	worker_drain(w);
	while ((t = timers_due(&w->timers, worker_ms(w))))
		conn_on_time(conn_of_timer(t));
	attend_dirty(w);
	free_gone(w);
}

static void *worker_main(void *worker)
{
	struct worker *w = worker;

	w->now_us = clock_us();
	while (!w->closing || w->count > 0)
		turn(w);
	return NULL;
}

/* ------------------------------------------------------ start and end */

int worker_new(struct worker **out, struct hub *h)
{
	struct worker *w = calloc(1, sizeof(*w));
	struct epoll_event event = {.events = EPOLLIN};
	int error;

	if (!w)
		return -ENOMEM;
	w->hub = h;
	w->inbox.end = &w->inbox.first;
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->epoll == -1 || w->wake == -1 ||
	    epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->wake, &event) == -1) {
		error = -errno;
		worker_free(w);
		return error;
	}
	*out = w;
	return 0;
}

int worker_start(struct worker *w)
{
	int error = pthread_create(&w->thread, NULL, worker_main, w);

	w->running = error == 0;
	return -error;
}

void worker_join(struct worker *w)
{
	if (w->running)
		pthread_join(w->thread, NULL);
	w->running = false;
}

void worker_free(struct worker *w)
{
	if (w->epoll != -1)
		close(w->epoll);
	if (w->wake != -1)
		close(w->wake);
	timers_free(&w->timers);
	free(w);
}
