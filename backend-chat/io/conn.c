/* SPDX-License-Identifier: MIT */
/* See conn.h. */
#include "io/conn_queue.h"
#include "io/report.h"
#include "io/user.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static const char refused_post[] = CHAT_SERVER_NICK
	"not said: the service is under maintenance, try again later\n";

/* A notice must fit even behind a full queue. */
#define NOTICE_BYTES 256
/* Reads before a connection that does not end is closed all the same. */
#define CUT_READS 64
/* Feeds of a reader that lags in one turn; a page each. */
#define FEEDS_MAX 16

bool conn_is_present(const struct conn *c)
{
	return c->phase == CONN_ARRIVING || c->phase == CONN_HERE;
}

void conn_touch(struct conn *c)
{
	if (c->dirty)
		return;
	c->dirty = true;
	c->next_dirty = c->worker->dirty;
	c->worker->dirty = c;
}

/* ------------------------------------------------------------- phases */

/*
 * what: NULL, or what the client did, for the output. It is written under the
 * lock, so that the counts come in order.
 */
static void set_phase(struct conn *c, enum conn_phase phase, const char *what)
{
	const bool was_present = conn_is_present(c);
	struct hub *h = conn_hub(c);

	if (c->phase == CONN_ARRIVING)
		conn_release_held(c);
	pthread_mutex_lock(&h->lock);
	h->here -= c->phase == CONN_HERE;
	h->here += phase == CONN_HERE;
	c->phase = phase;
	h->present -= was_present && !conn_is_present(c) && !c->refused;
	if (what)
		report_info(h->report, "client %s %s, clients=%u", c->peer,
			    what, h->here);
	pthread_mutex_unlock(&h->lock);
	conn_watch_queue(c);
	conn_touch(c);
}

static void turn_down(struct conn *c, const char *reason, const char *what);

void conn_settle(struct conn *c)
{
	static const char refused[] = "refused: the room is full";

	if (c->phase != CONN_ARRIVING)
		return;
	if (c->refused && conn_is_json(c))
		json_close(c, WS_FULL, "the server is full, try again later",
			   refused);
	else if (c->refused)
		turn_down(c, "the room is full, try again later", refused);
	else
		set_phase(c, CONN_HERE, "came");
}

static void leave(struct conn *c, const char *last, size_t len,
		  const char *what)
{
	c->leave_ms = worker_ms(c->worker) +
		      (c->wire == WIRE_HTTP ? LEAVING_WEB_MS : LEAVING_MS);
	seats_leave(c);
	user_end(c);
	set_phase(c, CONN_LEAVING, what);
	if (len == 0 || c->broken)
		return;
	conn_end_open_line(c);
	conn_append(c, last, len);
}

void conn_end_with(struct conn *c, const char *last, size_t len,
		   const char *what)
{
	if (conn_is_present(c))
		leave(c, last, len, what);
}

/* The peer has ended (error 0) or its connection broke (errno). */
static void left(struct conn *c, int error)
{
	char what[128] = "left";

	if (!conn_is_present(c))
		return;
	if (error)
		snprintf(what, sizeof(what), "lost: %s", strerror(error));
	leave(c, NULL, 0, c->phase == CONN_HERE ? what : NULL);
}

void conn_leave(struct conn *c)
{
	if (c->unacked == 0 || c->broken) {
		left(c, 0);
	} else if (!c->ending) {
		c->ending = true;
		c->leave_ms = worker_ms(c->worker) + LEAVING_MS;
	}
	conn_touch(c);
}

void conn_reset(struct conn *c)
{
	const struct linger now = {.l_onoff = 1};

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	left(c, 0);
	sendq_clear(&c->queue);
	c->ended = true; /* so it is closed at once */
}

static void turn_down(struct conn *c, const char *reason, const char *what)
{
	char notice[NOTICE_BYTES];

	snprintf(notice, sizeof(notice), CHAT_SERVER_NICK "refused: %s\n",
		 reason);
	leave(c, notice, strlen(notice), what);
}

void conn_refuse(struct conn *c, const char *reason, const char *what)
{
	if (conn_is_present(c))
		turn_down(c, reason, what);
}

void conn_out_of_memory(struct conn *c)
{
	if (conn_is_json(c))
		json_close(c, WS_INTERNAL, "no memory", "refused: no memory");
	else if (c->wire == WIRE_HTTP)
		conn_end_with(c, NULL, 0, NULL);
	else
		conn_refuse(c, "the server has no memory, try again later",
			    "refused: no memory");
}

void conn_say_goodbye(struct conn *c)
{
	static const char goodbye[] =
		CHAT_SERVER_NICK "the server is closing, goodbye\n";

	if (conn_is_json(c) && conn_is_present(c)) {
		json_drain(c);
		return;
	}
	if (c->wire == WIRE_HTTP)
		conn_end_with(c, NULL, 0, NULL);
	else
		conn_end_with(c, goodbye, strlen(goodbye), NULL);
	c->leave_ms = worker_ms(c->worker) + CLOSING_MS;
	conn_touch(c);
}

/* --------------------------------------------------------------- posts */

void conn_owe(struct conn *c, struct rate *r, struct rate_limit limit)
{
	const int64_t now_ms = worker_ms(c->worker);
	int64_t wait;

	if (!conn_hub(c)->options.has_rate)
		return;
	wait = rate_owe(r, limit, now_ms);
	if (wait > 0 && now_ms + wait > c->slow_ms)
		c->slow_ms = now_ms + wait;
}

enum post conn_post(struct conn *c, struct msg *m, bool retry)
{
	struct bus *bus = conn_hub(c)->bus;
	const size_t len = msg_line(m).len;
	int error = bus->post(bus, m, retry, c->ticket);

	if (error == -EAGAIN)
		return POST_BUSY;
	if (error)
		return POST_NO_MEMORY;
	METRIC_ADD(&conn_hub(c)->metrics, posts);
	c->unacked++;
	c->worker->undelivered += len;
	return POST_OK;
}

void conn_on_posted(struct conn *c, const struct note *n)
{
	/* While Redis is down its outbox is the limit, not the sender's. */
	if (!posted_is_late(n->posted))
		c->unacked -= c->unacked > 0;
	if (c->wire == WIRE_HTTP)
		web_on_posted(c, n);
	else if (conn_is_json(c))
		json_on_posted(c, n);
	else if (posted_is_refused(n->posted))
		conn_queue_answer(c, refused_post, strlen(refused_post));
	if (c->ending && c->unacked == 0)
		left(c, 0);
	conn_touch(c);
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
		conn_touch(c);
}

static void on_end(struct conn *c, int error)
{
	c->ended = true;
	if (error == 0 && conn_is_present(c) && !c->ending) {
		if (c->wire == WIRE_UNKNOWN)
			sniff_end(c);
		if (c->wire == WIRE_LINES)
			line_end(c);
		else if (c->wire == WIRE_HTTP)
			web_end(c);
	}
	if (error)
		left(c, error);
	else if (!c->waits)
		conn_leave(c);
	conn_touch(c);
}

static bool take(struct conn *c, struct slice in)
{
	switch (c->wire) {
	case WIRE_UNKNOWN: return sniff_take(c, in);
	case WIRE_LINES: return line_take(c, in);
	case WIRE_HTTP: return web_take(c, in);
	case WIRE_WS:
	case WIRE_JSON_LINES: break;
	}
	return json_take(c, in);
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
	if (c->phase == CONN_ARRIVING && c->settle_ms != INT64_MAX)
		c->settle_ms = worker_ms(c->worker) + SETTLE_MS;
	conn_touch(c);
	if (conn_is_present(c) && !c->ending &&
	    !take(c, (struct slice){c->worker->in, (size_t)got}))
		conn_leave(c);
}

void conn_on_events(struct conn *c, uint32_t events)
{
	const bool failed = events & (EPOLLERR | EPOLLHUP);

	if (c->phase == CONN_GONE)
		return;
	if (failed || (events & EPOLLOUT))
		c->blocked = false;
	conn_touch(c);
	if (c->ended && failed && conn_is_present(c))
		left(c, 0); /* while an answer is awaited */
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
	if (c->phase == CONN_LEAVING || c->ending)
		earlier(&due_ms, c->leave_ms);
	if (conn_is_present(c))
		earlier(&due_ms, c->wire_ms);
	if (c->slow_ms > worker_ms(c->worker))
		earlier(&due_ms, c->slow_ms);
	if (c->lagging && c->blocked)
		earlier(&due_ms, c->took_ms + STALLED_MS);
	if (c->awaited)
		earlier(&due_ms, conn_awaited_until_ms(c));
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
	if (c->awaited && now_ms >= conn_awaited_until_ms(c))
		conn_give_up(c);
	if (c->paused)
		(void)may_speak(c);
	if (c->ending && now_ms >= c->leave_ms)
		left(c, 0);
	if (c->lagging && c->blocked && now_ms >= c->took_ms + STALLED_MS)
		conn_drop(c);
	if (conn_is_present(c) && now_ms >= c->wire_ms) {
		if (c->wire == WIRE_HTTP)
			web_on_time(c);
		else
			json_on_time(c);
	}
	conn_touch(c);
}

/* ---------------------------------------------------- start, turn, end */

struct conn *conn_new(int fd, const char *peer, enum sniff_port port)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->fd = fd;
	c->port = port;
	c->form = FORM_LINE;
	c->wire_ms = INT64_MAX;
	writer_init(&c->first, SNIFF_MAX + READ_BYTES);
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
	seats_leave(c);
	user_end(c);
	set_phase(c, CONN_GONE, NULL);
	worker_exit(w, c);
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

	if (!c->ended && !c->paused &&
	    (c->phase == CONN_LEAVING ||
	     (!c->waits && c->unacked < UNACKED_MAX &&
	      worker_ms(c->worker) >= c->slow_ms)))
		event.events |= EPOLLIN;
	if (c->blocked)
		event.events |= EPOLLOUT;
	if (event.events == c->events)
		return;
	c->events = event.events;
	epoll_ctl(c->worker->epoll, EPOLL_CTL_MOD, c->fd, &event);
}

/* Line clients are in their room from the start; web ports have none. */
static int enter_lobby(struct conn *c)
{
	const struct seat_wish lobby = {
		.room = slice_of(conn_hub(c)->options.lobby)};

	if (c->port == SNIFF_ONLY_WEB)
		return 0;
	return seat_take(c, &lobby);
}

void conn_start(struct conn *c, struct worker *w)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

	c->worker = w;
	c->events = event.events;
	c->phase = CONN_ARRIVING;
	c->settle_ms = worker_ms(w) + SETTLE_MS;
	link_in(c);
	if (!timers_reserve(&w->timers, w->count + TIMERS_OF_WORKER) ||
	    epoll_ctl(w->epoll, EPOLL_CTL_ADD, c->fd, &event) == -1 ||
	    !worker_enter(w, c)) {
		set_phase(c, CONN_LEAVING, NULL);
		end(c);
		return;
	}
	conn_touch(c);
	if (c->port == SNIFF_ONLY_WEB && !web_start(c))
		conn_out_of_memory(c);
	else if (c->refused && c->port == SNIFF_ONLY_LINES)
		conn_settle(c); /* others may be HTTP, and are told so */
	else if (!c->refused && enter_lobby(c) != 0)
		conn_out_of_memory(c);
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
		conn_broke(c);
}

void conn_attend(struct conn *c)
{
	if (c->phase == CONN_GONE)
		return;
	flush(c);
	/* Again, until its socket or its rooms have no more. */
	for (int i = 0; i < FEEDS_MAX && c->lagging && !c->blocked; i++) {
		seats_feed(c);
		flush(c);
	}
	if (c->wire == WIRE_HTTP && c->waits && c->queue.bytes == 0 &&
	    conn_is_present(c))
		web_on_drained(c);
	conn_watch_queue(c);
	if (c->phase == CONN_LEAVING) {
		resume(c); /* from now on it is read to discard */
		if (conn_queued(c) == 0 && c->ended) {
			end(c);
			return;
		}
		if (worker_ms(c->worker) >= c->leave_ms) {
			cut(c);
			return;
		}
		if (conn_queued(c) == 0 && !c->shut) {
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
	writer_free(&c->first);
	web_free(c);
	json_free(c);
	free(c);
}
