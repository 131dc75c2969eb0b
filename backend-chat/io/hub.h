/* SPDX-License-Identifier: MIT */
/*
 * The chat: what the workers share, and how a line reaches all of them.
 *
 * A fixed number of workers (worker.h) serve the connections. A new connection
 * goes to the worker with the fewest and stays with it. What comes from the bus
 * is put into the inbox of every worker under the hub's lock, so all workers,
 * and so all clients, see all lines in the same order. The lock is held for
 * work in memory only.
 */
#ifndef CHAT_HUB_H
#define CHAT_HUB_H

#include "core/name.h"
#include "core/sniff.h"

struct bus;
struct hub;
struct report;
struct store;

struct hub_options {
	unsigned clients;   /* further ones are refused */
	size_t queue_bytes; /* size of the queue of each client */
	unsigned workers;   /* 0: one for each core, at most HUB_WORKERS_MAX */
	/*
	 * Readers that do not keep up are fed from the log later. Else (bare)
	 * senders wait for them, and they are dropped when their queue is full.
	 */
	bool has_log;
	bool has_rate;	/* limits of what a connection may say */
	unsigned hooks; /* webhooks a second, twice as many at once; 0: all */
	bool commands;	/* of line clients */
	bool strict_nicks; /* a line with somebody else's prefix is refused */
	unsigned rooms;	   /* at most */
	unsigned drain_ms;
	char instance[INSTANCE_MAX];
	char lobby[ROOM_MAX_BYTES]; /* the room of line clients; folded */
	const char *address;	    /* that other instances show */
	/* All empty where there is none; owned by the configuration. */
	struct slice motd, cors_origin, admin_token, webhook_secret;
	const struct slice *origins;
	unsigned origin_count;
};

/* Descriptors that a hub of that size may use at the same time. */
unsigned hub_descriptors(unsigned clients);

/* Returns 0 or -errno. Borrows report; options are copied. */
int hub_new(struct hub **out, const struct hub_options *options,
	    struct report *report);

/*
 * Begins to serve. store may be NULL. Both are borrowed, and are freed after
 * hub_close() and before hub_free(). Returns 0 or -errno.
 */
int hub_start(struct hub *h, struct bus *bus, struct store *store);

/* Takes ownership of the connected, non-blocking socket fd, in every case. */
void hub_admit(struct hub *h, int fd, const char *peer, enum sniff_port port);

/*
 * Says goodbye to all and waits at most two seconds (drain_ms more for JSON
 * clients) until all are gone.
 */
void hub_close(struct hub *h);
void hub_free(struct hub *h);

#endif
