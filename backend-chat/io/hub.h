/* SPDX-License-Identifier: MIT */
/*
 * The chat: what the workers share, and how a line reaches all of them.
 *
 * A fixed number of workers (worker.h) serve the connections. A new connection
 * goes to the worker with the fewest and stays with it. What a client says is
 * put into the inbox of every worker under the hub's lock, so all workers, and
 * so all clients, see all lines in the same order. The lock is held for work in
 * memory only.
 */
#ifndef CHAT_HUB_H
#define CHAT_HUB_H

#include <stddef.h>

struct hub;
struct report;

struct hub_limits {
	unsigned clients;   /* further ones are refused */
	size_t queue_bytes; /* size of the queue of each client */
	unsigned workers;   /* 0: one for each core, at most HUB_WORKERS_MAX */
};

/* More workers than this serve no more clients: send() is the cost. */
#define HUB_WORKERS_MAX 4

/* Descriptors that a hub of that size may use at the same time. */
unsigned hub_descriptors(unsigned clients);

/* Returns 0 or -errno. Borrows report. */
int hub_new(struct hub **out, const struct hub_limits *limits,
	    struct report *report);

/* Takes ownership of the connected, non-blocking socket fd, in every case. */
void hub_admit(struct hub *h, int fd, const char *peer);

/* Says goodbye to all and waits at most two seconds until all are gone. */
void hub_close(struct hub *h);

#endif
