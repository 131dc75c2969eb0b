/* SPDX-License-Identifier: MIT */
/* See room.h: who is here, and one line to all of them. */
#include "client.h"
#include "report.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Places for those who are refused or leave while the room is full. */
#define LEAVING_PLACES 64
/* Readers use little; thousands of them must fit into a 32-bit machine. */
#define READER_STACK_BYTES ((size_t)128 * 1024)
/* A notice must always find room behind a full queue. */
#define NOTICE_BYTES 256

int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void courier_wake(struct room *r)
{
	const uint64_t one = 1;

	/* It fails only if the counter is full: then it is awake anyway. */
	if (write(r->wake_fd, &one, sizeof(one)) == -1)
		return;
}

static bool is_present(enum client_phase phase)
{
	return phase == CLIENT_ARRIVING || phase == CLIENT_HERE;
}

static void client_set_congested(struct client *c, bool congested)
{
	struct room *r = c->room;

	if (c->congested == congested)
		return;
	c->congested = congested;
	if (congested) {
		r->congested++;
		c->deadline_ms = now_ms() + CONGESTED_MS;
		courier_wake(r); /* it has a deadline to keep */
	} else if (--r->congested == 0) {
		pthread_cond_broadcast(&r->calm);
	}
}

/*
 * A probe answered without newline must not run into the next line. What an
 * ARRIVING client is told goes past the lines kept back for it.
 */
static void client_end_open_line(struct client *c)
{
	if (!c->mid_line)
		return;
	c->mid_line = false;
	if ((c->outbox.len == 0 || c->phase == CLIENT_ARRIVING) &&
	    send(c->fd, "\n", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1)
		return;
	outbox_append(&c->outbox, "\n", 1, SIZE_MAX);
	courier_wake(c->room);
}

void client_set_phase(struct client *c, enum client_phase phase)
{
	struct room *r = c->room;

	if (c->phase == CLIENT_ARRIVING && c->outbox.len > 0)
		client_end_open_line(c);
	r->here -= c->phase == CLIENT_HERE;
	r->arriving -= c->phase == CLIENT_ARRIVING;
	c->phase = phase;
	r->here += phase == CLIENT_HERE;
	r->arriving += phase == CLIENT_ARRIVING;
	if (!is_present(phase)) {
		client_set_congested(c, false);
		pthread_cond_broadcast(&r->calm);
	}
}

/* Half full is the mark: what is said meanwhile still finds room. */
static void client_watch_queue(struct client *c)
{
	size_t half = c->room->limits.queue_bytes / 2;

	if (c->outbox.len > half && is_present(c->phase))
		client_set_congested(c, true);
	else if (c->outbox.len <= half / 2)
		client_set_congested(c, false);
}

void client_flush(struct client *c)
{
	/* A broken connection: its reader finds out the same way. */
	if (outbox_flush(&c->outbox, c->fd) < 0)
		outbox_clear(&c->outbox);
	client_watch_queue(c);
}

static void client_settle(struct client *c)
{
	if (c->phase != CLIENT_ARRIVING)
		return;
	client_set_phase(c, CLIENT_HERE);
	report_line(c->room->report, "client %s came, clients=%u", c->peer,
		    c->room->here);
	client_flush(c);
	if (c->outbox.len > 0)
		courier_wake(c->room);
}

void client_leave(struct client *c, const char *notice)
{
	if (notice) {
		client_end_open_line(c);
		outbox_append(&c->outbox, notice, strlen(notice),
			      c->room->limits.queue_bytes + NOTICE_BYTES);
	}
	c->deadline_ms = now_ms() + LEAVING_MS;
	client_set_phase(c, CLIENT_LEAVING);
	courier_wake(c->room);
}

void client_drop(struct client *c)
{
	client_leave(c, CHAT_SERVER_NICK
		     "you did not read what was sent, so you are dropped\n");
	report_line(c->room->report,
		    "client %s dropped: it does not read, clients=%u", c->peer,
		    c->room->here);
}

static void client_send(struct client *c, const char *bytes, size_t len)
{
	struct room *r = c->room;

	if (c->phase == CLIENT_HERE && c->outbox.len == 0) {
		ssize_t sent =
			send(c->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent == (ssize_t)len || (sent == -1 && errno != EAGAIN))
			return; /* its reader finds out what is broken */
		bytes += sent > 0 ? sent : 0;
		len -= sent > 0 ? (size_t)sent : 0;
		courier_wake(r);
	}
	if (!outbox_append(&c->outbox, bytes, len, r->limits.queue_bytes)) {
		client_drop(c);
		return;
	}
	if (c->phase == CLIENT_ARRIVING && c->outbox.len > HELD_BYTES_MAX)
		client_settle(c);
	client_watch_queue(c);
}

/*
 * Says whole lines to everybody. While somebody's queue is half full the
 * sender waits, so that a reader merely slower than a flood loses nothing;
 * the courier ends that wait after CONGESTED_MS. False: c itself must go.
 */
bool room_say(struct client *c, const char *lines, size_t len)
{
	struct room *r = c->room;
	bool present;

	pthread_mutex_lock(&r->lock);
	while (r->congested > 0 && is_present(c->phase))
		pthread_cond_wait(&r->calm, &r->lock);
	present = is_present(c->phase);
	if (present)
		client_settle(c);
	for (unsigned i = 0; present && i < r->count; i++) {
		struct client *to = r->clients[i];

		if (!is_present(to->phase))
			continue;
		if (to->phase == CLIENT_HERE)
			client_end_open_line(to);
		client_send(to, lines, len);
	}
	pthread_mutex_unlock(&r->lock);
	return present;
}

void room_settle(struct client *c)
{
	pthread_mutex_lock(&c->room->lock);
	client_settle(c);
	pthread_mutex_unlock(&c->room->lock);
}

/* The answer is the echo of what was asked, newline or not. */
void room_answer(struct client *c, enum frame probe)
{
	const char *answer = CHAT_PROBE "\n";
	size_t len;

	if (probe == FRAME_PROBE)
		answer = CHAT_PROBE;
	else if (probe == FRAME_PROBE_END)
		answer = "\n";
	len = strlen(answer);
	pthread_mutex_lock(&c->room->lock);
	c->room->probes += probe != FRAME_PROBE_END;
	if (probe == FRAME_PROBE_END && !c->mid_line)
		goto out; /* a line said since then has ended it already */
	/* Ahead of the lines kept back; the socket of an ARRIVING is empty. */
	if (c->phase == CLIENT_ARRIVING)
		send(c->fd, answer, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	else if (c->phase == CLIENT_HERE)
		client_send(c, answer, len);
	c->mid_line = probe == FRAME_PROBE;
out:
	pthread_mutex_unlock(&c->room->lock);
}

/* The peer wishes to leave (0) or the connection broke (errno). */
void room_left(struct client *c, int error)
{
	struct room *r = c->room;
	bool announced;

	pthread_mutex_lock(&r->lock);
	announced = c->phase == CLIENT_HERE;
	if (is_present(c->phase))
		client_leave(c, NULL);
	if (announced && error)
		report_line(r->report, "client %s lost: %s, clients=%u",
			    c->peer, strerror(error), r->here);
	else if (announced)
		report_line(r->report, "client %s left, clients=%u", c->peer,
			    r->here);
	pthread_mutex_unlock(&r->lock);
}

/* No place even for a refusal that waits until it is read. */
static void turn_away(int fd)
{
	static const char notice[] = CHAT_SERVER_NICK "full, try again later\n";

	send(fd, notice, sizeof(notice) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

static void client_refuse(struct client *c, const char *reason)
{
	char notice[NOTICE_BYTES];

	snprintf(notice, sizeof(notice),
		 CHAT_SERVER_NICK "refused: %s, try again later\n", reason);
	client_leave(c, notice);
	report_line(c->room->report, "client %s refused: %s, clients=%u",
		    c->peer, reason, c->room->here);
}

static struct client *client_new(struct room *r, int fd, const char *peer)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->room = r;
	c->fd = fd;
	c->phase = CLIENT_CUT; /* until room_admit() decides */
	snprintf(c->peer, sizeof(c->peer), "%s", peer);
	framer_init(&c->framer, CHAT_LINE_MAX, true);
	return c;
}

void room_admit(struct room *r, int fd, const char *peer)
{
	struct client *c = client_new(r, fd, peer);

	pthread_mutex_lock(&r->lock);
	if (!c || r->count == r->capacity) {
		pthread_mutex_unlock(&r->lock);
		turn_away(fd);
		free(c);
		return;
	}
	r->clients[r->count++] = c;
	if (r->here + r->arriving >= r->limits.clients)
		client_refuse(c, "the room is full");
	else
		client_set_phase(c, CLIENT_ARRIVING);
	/* Under the lock, so that nobody joins a thread not yet named. */
	c->has_reader = pthread_create(&c->reader, &r->reader_attr, reader_main,
				       c) == 0;
	c->reading = c->has_reader;
	if (!c->has_reader && c->phase == CLIENT_ARRIVING)
		client_refuse(c, "no thread to be had");
	pthread_mutex_unlock(&r->lock);
}

unsigned room_descriptors(unsigned clients)
{
	/* listener, signals, wake_fd, the standard ones, and some to spare */
	return clients + LEAVING_PLACES + 16;
}

static void room_free(struct room *r)
{
	if (r->wake_fd != -1)
		close(r->wake_fd);
	pthread_attr_destroy(&r->reader_attr);
	pthread_cond_destroy(&r->calm);
	pthread_mutex_destroy(&r->lock);
	free(r->polled);
	free(r->clients);
	free(r);
}

int room_new(struct room **out, const struct room_limits *limits,
	     struct report *report)
{
	struct room *r = calloc(1, sizeof(*r));
	int error = ENOMEM;

	if (!r)
		return -ENOMEM;
	r->limits = *limits;
	r->report = report;
	r->capacity = limits->clients + LEAVING_PLACES;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->calm, NULL);
	pthread_attr_init(&r->reader_attr);
	pthread_attr_setstacksize(&r->reader_attr, READER_STACK_BYTES);
	r->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r->clients = calloc(r->capacity, sizeof(struct client *));
	r->polled = calloc(r->capacity + 1, sizeof(*r->polled));
	if (r->wake_fd == -1)
		error = errno;
	else if (r->clients && r->polled)
		error = pthread_create(&r->courier, NULL, courier_main, r);
	if (error) {
		room_free(r);
		return -error;
	}
	*out = r;
	return 0;
}

void room_close(struct room *r)
{
	pthread_mutex_lock(&r->lock);
	report_line(r->report, "closing, clients=%u probes_answered=%lu",
		    r->here, r->probes);
	r->closing = true;
	for (unsigned i = 0; i < r->count; i++) {
		struct client *c = r->clients[i];

		if (is_present(c->phase))
			client_leave(c, CHAT_SERVER_NICK
				     "the server is closing, goodbye\n");
		c->deadline_ms = now_ms() + CLOSING_MS;
	}
	courier_wake(r);
	pthread_mutex_unlock(&r->lock);
	pthread_join(r->courier, NULL); /* it ends with the last client */
	room_free(r);
}
