/* SPDX-License-Identifier: MIT */
/*
 * The courier delivers what could not be sent at once, so that nobody else
 * waits for a slow client. It keeps the deadlines, and only it closes and frees
 * clients: between two of its rounds no client disappears.
 */
#include "client.h"

#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* What one round collects under the lock, to be done without it. */
struct round {
	struct client *claimed, *gone;
	nfds_t polled;	   /* entries of room->polled */
	int64_t now, wait; /* milliseconds */
};

/* Handles deadlines and empty queues; the caller holds the lock. */
static void attend(struct client *c, struct round *round)
{
	if (c->awaited && round->now >= client_awaited_until_ms(c))
		client_give_up(c);
	if (c->phase == CLIENT_LEAVING && round->now >= c->deadline_ms) {
		client_set_phase(c, CLIENT_CUT);
		shutdown(c->fd, SHUT_RDWR); /* ends the reader's recv() */
	}
	if (c->phase == CLIENT_LEAVING && client_queued(c) == 0 &&
	    !c->sending && !c->shut) {
		shutdown(c->fd, SHUT_WR);
		c->shut = true;
	}
	client_claim(c, &round->claimed);
}

static bool has_gone(const struct client *c)
{
	return !c->starting && !c->reading && !c->sending &&
	       (c->phase == CLIENT_CUT ||
		(c->phase == CLIENT_LEAVING && client_queued(c) == 0));
}

static void look_again_in(struct round *round, int64_t until_ms)
{
	if (until_ms - round->now < round->wait)
		round->wait = until_ms - round->now;
}

/* Adds what the next poll() has to wait for; the caller holds the lock. */
static void expect(struct room *r, struct client *c, struct round *round)
{
	if (c->blocked && c->phase != CLIENT_CUT) {
		r->polled_client[round->polled] = c;
		r->polled[round->polled++] = (struct pollfd){
			.fd = c->fd,
			.events = POLLOUT,
		};
	}
	if (c->phase == CLIENT_LEAVING)
		look_again_in(round, c->deadline_ms);
	if (c->awaited)
		look_again_in(round, client_awaited_until_ms(c));
}

/* Handles the sockets that the last poll() found writable. */
static void unblock(struct room *r, const struct round *last)
{
	for (nfds_t i = 1; i < last->polled; i++)
		if (r->polled[i].revents)
			r->polled_client[i]->blocked = false;
}

static struct round attend_all(struct room *r)
{
	struct round round = {.now = now_ms(), .wait = INT_MAX};

	r->polled[round.polled++] = (struct pollfd){
		.fd = r->wake_fd,
		.events = POLLIN,
	};
	for (unsigned i = 0; i < r->count;) {
		struct client *c = r->clients[i];

		attend(c, &round);
		if (has_gone(c)) {
			r->clients[i] = r->clients[--r->count];
			c->next = round.gone;
			round.gone = c;
			continue;
		}
		expect(r, c, &round);
		i++;
	}
	return round;
}

static void clients_free(struct client *list)
{
	while (list) {
		struct client *c = list;

		list = c->next;
		if (c->has_reader)
			pthread_join(c->reader, NULL); /* it has ended */
		close(c->fd);
		outbox_clear(&c->held);
		outbox_clear(&c->queue);
		outbox_clear(&c->flight);
		free(c);
	}
}

/* -1: no timeout. */
static int poll_timeout(const struct round *round)
{
	if (round->claimed || round->wait < 0)
		return 0; /* the queues may be empty now */
	return round->wait == INT_MAX ? -1 : (int)round->wait;
}

void *courier_main(void *room)
{
	struct room *r = room;
	struct round round = {0};
	uint64_t woken;

	for (;;) {
		bool over;
		int timeout;

		pthread_mutex_lock(&r->lock);
		unblock(r, &round);
		round = attend_all(r);
		over = r->closing && r->count == 0;
		pthread_mutex_unlock(&r->lock);
		timeout = poll_timeout(&round);
		clients_free(round.gone);
		clients_send(round.claimed);
		if (over)
			return NULL;
		poll(r->polled, round.polled, timeout);
		if (read(r->wake_fd, &woken, sizeof(woken)) == -1)
			continue; /* woken by a socket or a deadline only */
	}
}
