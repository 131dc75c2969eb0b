/* SPDX-License-Identifier: MIT */
/*
 * See worker.h. A turn: what epoll reports, the inbox, the deadlines; then the
 * connections that any of these touched are attended, so one send() carries all
 * lines of a turn.
 */
#include "io/conn.h"
#include "io/user.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS_MAX 64
/* With nothing to do it still shows that it lives, for /health. */
#define TURN_MS 1000
/*
 * Bytes said, or queued, before the turn's end is not waited for: far less than
 * a queue holds.
 */
#define UNDELIVERED_MAX 16384
#define UNSENT_MAX	16384

/* The worker of this thread. It looks by itself for what it told itself. */
static _Thread_local struct worker *self;

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
	n->next[w->index] = NULL;
	*w->inbox.end = n;
	w->inbox.end = &n->next[w->index];
	w->inbox.bytes += n->bytes;
	if (!w->inbox.crowded && w->inbox.bytes > hub_inbox_bytes(w->hub)) {
		w->inbox.crowded = true;
		w->hub->crowded++;
	}
	if (self == w)
		w->told_itself = true;
	else
		worker_wake(w);
}

static struct note *take_inbox(struct worker *w, bool *draining, bool *closing)
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
	*draining = h->draining;
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

static struct conn *conn_of_ticket(const struct worker *w, uint64_t ticket)
{
	const unsigned slot = (uint32_t)ticket / HUB_WORKERS_MAX;
	struct conn *c = slot < w->slot_count ? w->slots[slot] : NULL;

	return c && c->ticket == ticket ? c : NULL;
}

/* An answer to a question of one connection. */
static void on_answer(struct worker *w, struct note *n)
{
	struct conn *c = conn_of_ticket(w, n->ticket);

	if (n->kind == NOTE_CLAIMED)
		user_on_claimed(w, c, n);
	if (!c)
		return;
	if (n->kind == NOTE_POSTED)
		conn_on_posted(c, n);
	if (n->kind == NOTE_PAGE)
		seats_on_page(c, n);
	if (n->kind != NOTE_HISTORY)
		return;
	if (c->wire == WIRE_HTTP)
		web_on_page(c, n);
	else if (conn_is_json(c))
		json_on_page(c, n);
	else
		line_on_page(c, n);
}

/* Who came and went is announced a little later, many at a time. */
static void expect_news(struct worker *w)
{
	if (w->index == 0 && !w->announce.place)
		timers_set(&w->timers, &w->announce,
			   worker_ms(w) + PRESENCE_BATCH_MS);
}

static void on_note(struct worker *w, struct note *n)
{
	switch (n->kind) {
	case NOTE_CONN: conn_start(n->conn, w); break;
	case NOTE_OPEN:
	case NOTE_SHUT:
	case NOTE_MESSAGE:
	case NOTE_IDENTIFIED:
	case NOTE_REPEATED:
	case NOTE_GAP: rooms_on_note(w, n); break;
	case NOTE_POSTED:
	case NOTE_CLAIMED:
	case NOTE_PAGE:
	case NOTE_HISTORY: on_answer(w, n); break;
	case NOTE_SIGNAL:
		expect_news(w);
		signal_on_note(w, n);
		break;
	case NOTE_PRESENCE:
	case NOTE_STATE: signal_on_note(w, n); break;
	}
	if (w->unsent > UNSENT_MAX)
		attend_dirty(w);
}

void worker_drain(struct worker *w)
{
	bool draining, closing;
	struct note *list = take_inbox(w, &draining, &closing);

	w->undelivered = 0;
	w->told_itself = false;
	while (list) {
		struct note *n = list;

		list = n->next[w->index];
		on_note(w, n);
		note_unref(n);
	}
	if (draining && !w->draining) {
		w->draining = true;
		for (struct conn *c = w->conns; c; c = c->next)
			if (conn_is_json(c) && conn_is_present(c))
				json_drain(c);
	}
	if (closing && !w->closing) {
		w->closing = true;
		for (struct conn *c = w->conns; c; c = c->next)
			conn_say_goodbye(c);
	}
}

/* ------------------------------------------------------------- tickets */

static bool find_slot(struct worker *w, unsigned *slot)
{
	unsigned count = w->slot_count ? w->slot_count * 2 : 16;
	struct conn **slots;

	/* A free one is near where the last one was found. */
	for (unsigned i = 0; i < w->slot_count; i++) {
		*slot = (w->serial + i) % w->slot_count;
		if (!w->slots[*slot])
			return true;
	}
	slots = realloc(w->slots, count * sizeof(struct conn *));
	if (!slots)
		return false;
	memset(slots + w->slot_count, 0,
	       (count - w->slot_count) * sizeof(struct conn *));
	*slot = w->slot_count;
	w->slots = slots;
	w->slot_count = count;
	return true;
}

bool worker_enter(struct worker *w, struct conn *c)
{
	unsigned slot;

	if (!find_slot(w, &slot))
		return false;
	if (++w->serial == 0)
		w->serial = 1; /* ticket 0 is nobody's */
	w->slots[slot] = c;
	c->ticket =
		(uint64_t)w->serial << 32 | (slot * HUB_WORKERS_MAX + w->index);
	return true;
}

void worker_exit(struct worker *w, const struct conn *c)
{
	if (c->ticket)
		w->slots[(uint32_t)c->ticket / HUB_WORKERS_MAX] = NULL;
}

void worker_random(struct worker *w, void *out, size_t len)
{
	if (w->random_used + len > sizeof(w->random)) {
		random_bytes(w->random, sizeof(w->random));
		w->random_used = 0;
	}
	memcpy(out, w->random + w->random_used, len);
	/* What was given out must not be found in memory later. */
	memset(w->random + w->random_used, 0, len);
	w->random_used += len;
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

static void announce(struct worker *w)
{
	int64_t due_ms = hub_announce(w->hub, worker_ms(w));

	if (due_ms != INT64_MAX)
		timers_set(&w->timers, &w->announce, due_ms);
}

static void turn(struct worker *w)
{
	struct epoll_event events[EVENTS_MAX];
	int wait = timers_wait_ms(&w->timers, worker_ms(w)), count;
	struct timer *t;

	if (wait < 0 || wait > TURN_MS)
		wait = TURN_MS;
	count = epoll_wait(w->epoll, events, EVENTS_MAX,
			   w->told_itself ? 0 : wait);
	w->now_us = clock_us();
	atomic_store_explicit(&w->turn_ms, worker_ms(w), memory_order_relaxed);
	for (int i = 0; i < count; i++)
		on_event(w, &events[i]);
	worker_drain(w);
	while ((t = timers_due(&w->timers, worker_ms(w)))) {
		if (t == &w->announce)
			announce(w);
		else
			conn_on_time(conn_of_timer(t));
	}
	attend_dirty(w);
	free_gone(w);
}

static void *worker_main(void *worker)
{
	struct worker *w = self = worker;

	w->now_us = clock_us();
	while (!w->closing || w->count > 0)
		turn(w);
	return NULL;
}

/* ------------------------------------------------------ start and end */

int worker_new(struct worker **out, struct hub *h, unsigned index)
{
	struct worker *w = calloc(1, sizeof(*w));
	struct epoll_event event = {.events = EPOLLIN};
	int error;

	if (!w)
		return -ENOMEM;
	w->hub = h;
	w->index = index;
	w->turn_ms = clock_us() / 1000;
	w->budget.max = ROOM_RING_BYTES;
	w->random_used = sizeof(w->random);
	w->inbox.end = &w->inbox.first;
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->epoll == -1 || w->wake == -1 ||
	    !timers_reserve(&w->timers, TIMERS_OF_WORKER) ||
	    epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->wake, &event) == -1) {
		error = errno ? -errno : -ENOMEM;
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
	bool draining, closing;

	for (struct note *n = take_inbox(w, &draining, &closing), *next; n;
	     n = next) {
		next = n->next[w->index];
		note_unref(n);
	}
	rooms_free(w);
	free(w->slots);
	if (w->epoll != -1)
		close(w->epoll);
	if (w->wake != -1)
		close(w->wake);
	timers_free(&w->timers);
	free(w);
}
