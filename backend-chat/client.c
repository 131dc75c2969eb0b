/* SPDX-License-Identifier: MIT */
/*
 * See client.h: the life of one client and of its queue.
 *
 * Nobody blocks on a socket. A full queue drops its client at once. Half a
 * queue has room for everything that speakers may say without waiting (pace.h).
 * When a client has more in its queue, those who flood wait for it, as long as
 * it may still read.
 */
#include "client.h"
#include "report.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* A notice must fit even behind a full queue. */
#define NOTICE_BYTES 256

bool client_is_present(const struct client *c)
{
	return c->phase == CLIENT_ARRIVING || c->phase == CLIENT_HERE;
}

size_t client_queued(const struct client *c)
{
	return c->held.len + c->queue.len + c->flying;
}

/* ------------------------------------------------- who is waited for */

static void client_set_awaited(struct client *c, bool awaited)
{
	struct room *r = c->room;

	if (c->awaited == awaited)
		return;
	c->awaited = awaited;
	if (awaited) {
		r->awaited++;
		courier_wake(r); /* the deadline has to be watched */
	} else if (--r->awaited == 0) {
		pthread_cond_broadcast(&r->calm);
	}
}

static void client_watch_queue(struct client *c)
{
	const size_t half = c->room->limits.queue_bytes / 2;
	const size_t queued = client_queued(c);

	if (!client_is_present(c) || c->broken || queued <= half / 2) {
		c->behind = false;
		client_set_awaited(c, false);
	} else if (queued > half && !c->behind) {
		c->behind = true;
		c->behind_ms = now_ms();
		client_set_awaited(c, true);
	}
}

int64_t client_awaited_until_ms(const struct client *c)
{
	const bool wary = c->behind_ms < c->room->wary_ms;
	const int64_t until = c->behind_ms + PATIENCE_MS;
	int64_t silent = c->took_ms > c->behind_ms ? c->took_ms : c->behind_ms;

	silent += wary ? WARY_SILENCE_MS : SILENCE_MS;
	return silent < until ? silent : until;
}

/*
 * Stops waiting for the client. It stays and may catch up until its queue is
 * full.
 */
void client_give_up(struct client *c)
{
	client_set_awaited(c, false);
	c->room->wary_ms = now_ms() + WARY_MS;
}

/* ------------------------------------------------------------ sending */

void client_claim(struct client *c, struct client **list)
{
	if (c->sending || c->blocked || c->broken || c->phase == CLIENT_CUT ||
	    c->queue.len + c->flying == 0)
		return;
	c->sending = true;
	c->next = *list;
	*list = c;
}

static void client_broke(struct client *c)
{
	c->broken = true; /* its reader will notice the same error */
	c->flying = 0;
	outbox_clear(&c->flight);
	outbox_clear(&c->queue);
	outbox_clear(&c->held);
}

/*
 * Sends what was queued when the client was claimed, as far as the socket takes
 * it. What others queue meanwhile is left to the courier, so that nobody is
 * kept busy by the lines of others.
 */
static void client_send(struct client *c)
{
	struct room *r = c->room;
	size_t before;
	int error;

	pthread_mutex_lock(&r->lock);
	if (c->flight.len == 0) {
		struct outbox empty = c->flight;

		c->flight = c->queue;
		c->queue = empty;
	}
	before = c->flying = c->flight.len;
	pthread_mutex_unlock(&r->lock);

	error = outbox_flush(&c->flight, c->fd);

	pthread_mutex_lock(&r->lock);
	if (c->flight.len < before)
		c->took_ms = now_ms();
	c->flying = c->flight.len;
	c->sending = false;
	c->blocked = c->flying > 0;
	if (error || c->phase == CLIENT_CUT)
		client_broke(c);
	client_watch_queue(c);
	if (c->blocked || c->queue.len > 0 || c->phase >= CLIENT_LEAVING)
		courier_wake(r);
	pthread_mutex_unlock(&r->lock);
}

void clients_send(struct client *list)
{
	while (list) {
		struct client *c = list;

		list = c->next; /* after the send it is no longer ours */
		client_send(c);
	}
}

/* -------------------------------------------------- coming and going */

/* Ends the line of a probe that was answered without a newline. */
static void client_end_open_line(struct client *c)
{
	if (c->mid_line && !c->broken)
		outbox_append(&c->queue, "\n", 1, SIZE_MAX);
	c->mid_line = false;
}

/* Queues the lines that were held back. */
static void client_release_held(struct client *c)
{
	if (c->held.len == 0)
		return;
	client_end_open_line(c);
	outbox_append(&c->queue, c->held.bytes + c->held.start, c->held.len,
		      SIZE_MAX);
	outbox_clear(&c->held);
}

void client_set_phase(struct client *c, enum client_phase phase)
{
	struct room *r = c->room;

	if (c->phase == CLIENT_ARRIVING)
		client_release_held(c);
	r->here -= c->phase == CLIENT_HERE;
	r->arriving -= c->phase == CLIENT_ARRIVING;
	c->phase = phase;
	r->here += phase == CLIENT_HERE;
	r->arriving += phase == CLIENT_ARRIVING;
	client_watch_queue(c);
	if (!client_is_present(c))
		pthread_cond_broadcast(&r->calm); /* it may be waiting itself */
}

void client_settle(struct client *c)
{
	if (c->phase != CLIENT_ARRIVING)
		return;
	client_set_phase(c, CLIENT_HERE);
	report_line(c->room->report, "client %s came, clients=%u", c->peer,
		    c->room->here);
}

void client_leave(struct client *c, const char *notice)
{
	c->deadline_ms = now_ms() + LEAVING_MS;
	client_set_phase(c, CLIENT_LEAVING);
	if (notice && !c->broken) {
		client_end_open_line(c);
		outbox_append(&c->queue, notice, strlen(notice), SIZE_MAX);
	}
	courier_wake(c->room);
}

static void client_drop(struct client *c)
{
	client_leave(c, CHAT_SERVER_NICK
		     "you did not read what was sent, so you are dropped\n");
	report_line(c->room->report,
		    "client %s dropped: it does not read, clients=%u", c->peer,
		    c->room->here);
}

void client_refuse(struct client *c, const char *reason)
{
	char notice[NOTICE_BYTES];

	snprintf(notice, sizeof(notice), CHAT_SERVER_NICK "refused: %s\n",
		 reason);
	client_leave(c, notice);
}

/* False: the client had no room for the bytes and was dropped. */
static bool client_put(struct client *c, struct outbox *o, const char *bytes,
		       size_t len)
{
	const size_t limit = c->room->limits.queue_bytes;

	if (client_queued(c) + len > limit ||
	    !outbox_append(o, bytes, len, limit)) {
		client_drop(c);
		return false;
	}
	client_watch_queue(c);
	return true;
}

void client_queue_lines(struct client *c, const char *lines, size_t len)
{
	if (c->broken)
		return;
	if (c->phase == CLIENT_HERE) {
		client_end_open_line(c);
		client_put(c, &c->queue, lines, len);
	} else if (client_put(c, &c->held, lines, len) &&
		   c->held.len > HELD_BYTES_MAX) {
		client_settle(c);
	}
}

/* Queues an answer before the lines held back; ends an open answer first. */
void client_queue_answer(struct client *c, const char *answer, size_t len)
{
	if (!c->broken)
		client_put(c, &c->queue, answer, len);
}
