/* SPDX-License-Identifier: MIT */
/*
 * The courier delivers what could not be sent at once, so that nobody else
 * ever waits for a slow client. It keeps the deadlines, and is the only one
 * to close and free: between two of its rounds no client disappears.
 */
#include "client.h"

#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* What time and an empty outbox bring about; the lock is held. */
static void attend(struct client *c, int64_t now)
{
	if (c->phase != CLIENT_ARRIVING && c->outbox.len > 0)
		client_flush(c);
	if (c->congested && now >= c->deadline_ms)
		client_drop(c);
	if (c->phase == CLIENT_LEAVING && now >= c->deadline_ms) {
		client_set_phase(c, CLIENT_CUT);
		outbox_clear(&c->outbox);
		shutdown(c->fd, SHUT_RDWR); /* ends the reader's recv() */
	}
	if (c->phase == CLIENT_LEAVING && c->outbox.len == 0 && !c->shut) {
		shutdown(c->fd, SHUT_WR);
		c->shut = true;
	}
}

static bool has_gone(const struct client *c)
{
	return !c->reading &&
	       (c->phase == CLIENT_CUT ||
		(c->phase == CLIENT_LEAVING && c->outbox.len == 0));
}

static void client_free(struct client *c)
{
	if (c->has_reader)
		pthread_join(c->reader, NULL); /* .reading was its last word */
	close(c->fd);
	outbox_clear(&c->outbox);
	free(c);
}

/* Milliseconds until the next deadline, -1 for none; fills r->polled. */
static int attend_all(struct room *r, nfds_t *polled)
{
	int64_t now = now_ms(), wait = INT_MAX;

	*polled = 0;
	r->polled[(*polled)++] = (struct pollfd){
		.fd = r->wake_fd,
		.events = POLLIN,
	};
	for (unsigned i = 0; i < r->count;) {
		struct client *c = r->clients[i];

		attend(c, now);
		if (has_gone(c)) {
			r->clients[i] = r->clients[--r->count];
			client_free(c);
			continue;
		}
		if (c->phase != CLIENT_ARRIVING && c->outbox.len > 0)
			r->polled[(*polled)++] = (struct pollfd){
				.fd = c->fd,
				.events = POLLOUT,
			};
		if ((c->phase == CLIENT_LEAVING || c->congested) &&
		    c->deadline_ms - now < wait)
			wait = c->deadline_ms - now;
		i++;
	}
	if (wait == INT_MAX)
		return -1;
	return wait > 0 ? (int)wait : 0;
}

void *courier_main(void *room)
{
	struct room *r = room;
	uint64_t woken;

	for (;;) {
		nfds_t polled;
		int wait;
		bool over;

		pthread_mutex_lock(&r->lock);
		wait = attend_all(r, &polled);
		over = r->closing && r->count == 0;
		pthread_mutex_unlock(&r->lock);
		if (over)
			return NULL;
		poll(r->polled, polled, wait);
		if (read(r->wake_fd, &woken, sizeof(woken)) == -1)
			continue; /* not woken: a socket or a deadline */
	}
}
