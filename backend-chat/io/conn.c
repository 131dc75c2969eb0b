/* SPDX-License-Identifier: MIT */
/* See conn.h. */
#include "io/conn.h"
#include "io/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* A notice must fit even behind a full queue. */
#define NOTICE_BYTES 256
/* Reads before a connection that does not end is closed all the same. */
#define CUT_READS 64

static struct hub *hub_of(const struct conn *c)
{
	return c->worker->hub;
}

bool conn_is_present(const struct conn *c)
{
	return c->phase == CONN_ARRIVING || c->phase == CONN_HERE;
}

static size_t queued(const struct conn *c)
{
	return c->held.bytes + c->queue.bytes;
}

/* It is attended at the end of the turn. */
static void touch(struct conn *c)
{
	if (c->dirty)
		return;
	c->dirty = true;
	c->next_dirty = c->worker->dirty;
	c->worker->dirty = c;
}

/* ------------------------------------------------- who is waited for */

static void set_awaited(struct conn *c, bool awaited)
{
	struct hub *h = hub_of(c);

	if (c->awaited == awaited)
		return;
	c->awaited = awaited;
	pthread_mutex_lock(&h->lock);
	if (awaited)
		h->awaited++;
	else if (--h->awaited == 0)
		hub_calm(h);
	pthread_mutex_unlock(&h->lock);
}

static void watch_queue(struct conn *c)
{
	const size_t half = hub_of(c)->limits.queue_bytes / 2;

	if (!conn_is_present(c) || c->broken || queued(c) <= half / 2) {
		c->behind = false;
		set_awaited(c, false);
	} else if (queued(c) > half && !c->behind) {
		c->behind = true;
		c->behind_ms = worker_ms(c->worker);
		set_awaited(c, true);
	}
}

static int64_t awaited_until_ms(const struct conn *c)
{
	const int64_t until = c->behind_ms + PATIENCE_MS;
	int64_t silent = c->took_ms > c->behind_ms ? c->took_ms : c->behind_ms;
	struct hub *h = hub_of(c);
	bool wary;

	pthread_mutex_lock(&h->lock);
	wary = c->behind_ms < h->wary_ms;
	pthread_mutex_unlock(&h->lock);
	silent += wary ? WARY_SILENCE_MS : SILENCE_MS;
	return silent < until ? silent : until;
}

/* Stops waiting for it. It stays, and may catch up until its queue is full. */
static void give_up(struct conn *c)
{
	struct hub *h = hub_of(c);

	set_awaited(c, false);
	pthread_mutex_lock(&h->lock);
	h->wary_ms = worker_ms(c->worker) + WARY_MS;
	pthread_mutex_unlock(&h->lock);
}

/* ------------------------------------------------------------- phases */

/* Its connection failed, or there is no memory for it. It ends soon. */
static void broke(struct conn *c)
{
	c->broken = true;
	sendq_clear(&c->queue);
	sendq_clear(&c->held);
	shutdown(c->fd, SHUT_RDWR); /* if it has not failed by itself */
}

static void append(struct conn *c, const char *bytes, size_t len)
{
	struct blob *b = blob_copy(bytes, len);

	if (!b || !sendq_append(&c->queue, b))
		broke(c);
	blob_unref(b);
}

/* Ends the line of a probe that was answered without a newline. */
static void end_open_line(struct conn *c)
{
	if (c->mid_line && !c->broken)
		append(c, "\n", 1);
	c->mid_line = false;
}

/* Queues the lines that were held back. */
static void release_held(struct conn *c)
{
	if (c->held.count == 0)
		return;
	end_open_line(c);
	if (!sendq_move(&c->queue, &c->held))
		broke(c);
}

/*
 * what: NULL, or what the client did, for the output. It is written under the
 * lock, so that the counts come in order.
 */
static void set_phase(struct conn *c, enum conn_phase phase, const char *what)
{
	const bool was_present = conn_is_present(c);
	struct hub *h = hub_of(c);

	if (c->phase == CONN_ARRIVING)
		release_held(c);
	pthread_mutex_lock(&h->lock);
	h->here -= c->phase == CONN_HERE;
	h->here += phase == CONN_HERE;
	c->phase = phase;
	h->present -= was_present && !conn_is_present(c);
	if (what)
		report_line(h->report, "client %s %s, clients=%u", c->peer,
			    what, h->here);
	pthread_mutex_unlock(&h->lock);
	watch_queue(c);
	touch(c);
}

void conn_settle(struct conn *c)
{
	if (c->phase == CONN_ARRIVING)
		set_phase(c, CONN_HERE, "came");
}

static void leave(struct conn *c, const char *notice, const char *what)
{
	c->leave_ms = worker_ms(c->worker) + LEAVING_MS;
	set_phase(c, CONN_LEAVING, what);
	if (!notice || c->broken)
		return;
	end_open_line(c);
	append(c, notice, strlen(notice));
}

void conn_left(struct conn *c, int error)
{
	char what[128] = "left";

	if (!conn_is_present(c))
		return;
	if (error)
		snprintf(what, sizeof(what), "lost: %s", strerror(error));
	leave(c, NULL, c->phase == CONN_HERE ? what : NULL);
}

static void turn_down(struct conn *c, const char *reason, const char *what)
{
	char notice[NOTICE_BYTES];

	snprintf(notice, sizeof(notice), CHAT_SERVER_NICK "refused: %s\n",
		 reason);
	leave(c, notice, what);
}

void conn_refuse(struct conn *c, const char *reason, const char *what)
{
	if (conn_is_present(c))
		turn_down(c, reason, what);
}

void conn_out_of_memory(struct conn *c)
{
	conn_refuse(c, "the server has no memory, try again later",
		    "refused: no memory");
}

void conn_say_goodbye(struct conn *c)
{
	if (conn_is_present(c))
		leave(c, CHAT_SERVER_NICK "the server is closing, goodbye\n",
		      NULL);
	c->leave_ms = worker_ms(c->worker) + CLOSING_MS;
	touch(c);
}

/* -------------------------------------------------------------- queue */

static void put(struct conn *c, struct sendq *q, struct blob *b)
{
	const size_t limit = hub_of(c)->limits.queue_bytes;

	if (!b || queued(c) + b->len > limit || !sendq_append(q, b)) {
		leave(c,
		      CHAT_SERVER_NICK
		      "you did not read what was sent, so you are dropped\n",
		      "dropped: it does not read");
		return;
	}
	watch_queue(c);
	touch(c);
}

void conn_queue_line(struct conn *c, struct blob *line)
{
	if (c->broken || !conn_is_present(c))
		return;
	if (c->phase == CONN_HERE) {
		end_open_line(c);
		put(c, &c->queue, line);
		return;
	}
	put(c, &c->held, line);
	if (c->held.bytes > HELD_BYTES_MAX)
		conn_settle(c);
}

void conn_queue_answer(struct conn *c, const char *answer, size_t len)
{
	struct blob *b;

	if (c->broken || !conn_is_present(c))
		return;
	b = blob_copy(answer, len);
	put(c, &c->queue, b);
	blob_unref(b);
}

/* ------------------------------------------------------------ reading */

/* Returns false while it has to wait for its turn to speak. */
static bool may_speak(struct conn *c)
{
	struct worker *w = c->worker;
	int64_t wait = hub_wait_us(w->hub, w, &c->pace, &c->paused, w->now_us);

	if (wait == 0) {
		if (c->paused)
			hub_resumed(w->hub, w);
		c->paused = false;
		c->speak_ms = 0;
		return true;
	}
	c->speak_ms = 0;
	if (wait != HUB_WHEN_CALM)
		c->speak_ms = (w->now_us + wait + 999) / 1000;
	if (!c->listed) {
		c->listed = true;
		c->next_paused = w->paused;
		w->paused = c;
	}
	return false;
}

static void resume(struct conn *c)
{
	if (c->paused)
		hub_resumed(c->worker->hub, c->worker);
	c->paused = false;
	c->speak_ms = 0;
}

void conn_on_calm(struct conn *c)
{
	c->listed = false;
	if (c->paused && may_speak(c))
		touch(c);
}

static void on_end(struct conn *c, int error)
{
	c->ended = true;
	if (error == 0 && conn_is_present(c))
		line_end(c);
	conn_left(c, error);
	touch(c);
}

static void read_some(struct conn *c)
{
	ssize_t got = recv(c->fd, c->worker->in, READ_BYTES, 0);

	if (got == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		on_end(c, got == -1 ? errno : 0);
		return;
	}
	c->settle_ms = worker_ms(c->worker) + SETTLE_MS;
	touch(c);
	if (conn_is_present(c) && !line_take(c, c->worker->in, (size_t)got))
		conn_left(c, 0);
}

void conn_on_events(struct conn *c, uint32_t events)
{
	const bool failed = events & (EPOLLERR | EPOLLHUP);

	if (c->phase == CONN_GONE)
		return;
	if (failed || (events & EPOLLOUT))
		c->blocked = false;
	touch(c);
	/* A failed one does not wait: epoll would report it all the time. */
	if ((events & EPOLLIN || failed) && !c->ended &&
	    (failed || !conn_is_present(c) || may_speak(c)))
		read_some(c);
}

/* ---------------------------------------------------------- deadlines */

static void earlier(int64_t *due_ms, int64_t deadline_ms)
{
	if (deadline_ms < *due_ms)
		*due_ms = deadline_ms;
}

static void set_timer(struct conn *c)
{
	struct timers *all = &c->worker->timers;
	int64_t due_ms = INT64_MAX;

	if (c->phase == CONN_ARRIVING)
		earlier(&due_ms, c->settle_ms);
	if (c->phase == CONN_LEAVING)
		earlier(&due_ms, c->leave_ms);
	if (c->awaited)
		earlier(&due_ms, awaited_until_ms(c));
	if (c->paused && c->speak_ms)
		earlier(&due_ms, c->speak_ms);
	if (due_ms == INT64_MAX)
		timers_drop(all, &c->timer);
	else
		timers_set(all, &c->timer, due_ms);
}

void conn_on_time(struct conn *c)
{
	const int64_t now_ms = worker_ms(c->worker);

	if (c->phase == CONN_ARRIVING && now_ms >= c->settle_ms)
		conn_settle(c);
	if (c->awaited && now_ms >= awaited_until_ms(c))
		give_up(c);
	if (c->paused)
		(void)may_speak(c);
	touch(c);
}

/* ---------------------------------------------------- start, turn, end */

struct conn *conn_new(int fd, const char *peer)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->fd = fd;
	snprintf(c->peer, sizeof(c->peer), "%s", peer);
	return c;
}

static void link_in(struct conn *c)
{
	struct worker *w = c->worker;

	c->next = w->conns;
	if (c->next)
		c->next->previous = c;
	w->conns = c;
	w->count++;
}

static void unlink_from_paused(struct conn *c)
{
	struct conn **at = &c->worker->paused;

	while (c->listed && *at != c)
		at = &(*at)->next_paused;
	if (c->listed)
		*at = c->next_paused;
	c->listed = false;
}

static void unlink_from_worker(struct conn *c)
{
	struct worker *w = c->worker;

	if (c->next)
		c->next->previous = c->previous;
	if (c->previous)
		c->previous->next = c->next;
	else
		w->conns = c->next;
	w->count--;
	unlink_from_paused(c);
	c->next = w->gone;
	w->gone = c;
}

/* Only a connection that has left ends. */
static void end(struct conn *c)
{
	struct worker *w = c->worker;

	resume(c);
	set_phase(c, CONN_GONE, NULL);
	pthread_mutex_lock(&w->hub->lock);
	w->hub->count--;
	w->inbox.load--;
	pthread_mutex_unlock(&w->hub->lock);
	timers_drop(&w->timers, &c->timer);
	close(c->fd);
	unlink_from_worker(c);
}

/* Its time is up. What has arrived must be read, or close() sends a reset. */
static void cut(struct conn *c)
{
	int reads = CUT_READS;

	shutdown(c->fd, SHUT_RDWR);
	while (reads-- > 0 && recv(c->fd, c->worker->in, READ_BYTES, 0) > 0)
		;
	end(c);
}

static void watch_socket(struct conn *c)
{
	struct epoll_event event = {.data.ptr = c};

	if (!c->ended && !c->paused)
		event.events |= EPOLLIN;
	if (c->blocked)
		event.events |= EPOLLOUT;
	if (event.events == c->events)
		return;
	c->events = event.events;
	epoll_ctl(c->worker->epoll, EPOLL_CTL_MOD, c->fd, &event);
}

void conn_start(struct conn *c, struct worker *w)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

	c->worker = w;
	c->events = event.events;
	c->phase = c->refused ? CONN_LEAVING : CONN_ARRIVING;
	c->settle_ms = worker_ms(w) + SETTLE_MS;
	link_in(c);
	if (!timers_reserve(&w->timers, w->count) ||
	    epoll_ctl(w->epoll, EPOLL_CTL_ADD, c->fd, &event) == -1) {
		set_phase(c, CONN_LEAVING, NULL);
		end(c);
	} else if (c->refused) {
		turn_down(c, "the room is full, try again later",
			  "refused: the room is full");
	}
	touch(c);
}

static void flush(struct conn *c)
{
	const size_t before = c->queue.bytes;
	int error;

	if (c->blocked || c->broken || before == 0)
		return;
	error = sendq_flush(&c->queue, c->fd);
	if (c->queue.bytes < before)
		c->took_ms = worker_ms(c->worker);
	c->blocked = c->queue.bytes > 0;
	if (error)
		broke(c);
}

void conn_attend(struct conn *c)
{
	if (c->phase == CONN_GONE)
		return;
	flush(c);
	watch_queue(c);
	if (c->phase == CONN_LEAVING) {
		resume(c); /* from now on it is read to discard */
		if (queued(c) == 0 && c->ended) {
			end(c);
			return;
		}
		if (worker_ms(c->worker) >= c->leave_ms) {
			cut(c);
			return;
		}
		if (queued(c) == 0 && !c->shut) {
			c->shut = true;
			shutdown(c->fd, SHUT_WR);
		}
	}
	watch_socket(c);
	set_timer(c);
}

void conn_free(struct conn *c)
{
	sendq_clear(&c->held);
	sendq_clear(&c->queue);
	free(c->framer);
	free(c);
}
