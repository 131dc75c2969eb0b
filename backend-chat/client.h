/* SPDX-License-Identifier: MIT */
/*
 * What room.c, reader.c and courier.c share. Nobody else includes it.
 *
 * One lock, the room's, guards every list, phase and outbox. Nothing is
 * waited for under it: sends do not block. All clients therefore see all
 * lines in one order.
 */
#ifndef CHAT_CLIENT_H
#define CHAT_CLIENT_H

#include "frame.h"
#include "listener.h"
#include "outbox.h"
#include "room.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* A prober is gone, and a client has settled, after this long. */
#define SETTLE_MS 300
/* A full queue holds up the senders this long, then its client is dropped. */
#define CONGESTED_MS 1000
/* The leaving get this long to take what is left for them. */
#define LEAVING_MS 5000
/* The same when the server closes. */
#define CLOSING_MS 2000
/* Lines kept back from a client that may yet prove to be a prober. */
#define HELD_BYTES_MAX 16384

#define READ_BYTES 4096
#define SAY_BYTES  8192

enum client_phase {
	/*
	 * Just connected, or probed a moment ago. Not announced; lines are
	 * kept back, so that a prober reads the answer to its probe first.
	 * -> HERE by a line, by SETTLE_MS of silence or by too many lines
	 * kept; -> LEAVING.
	 */
	CLIENT_ARRIVING,
	/* In the room. -> LEAVING by its own wish, an error, a drop. */
	CLIENT_HERE,
	/* Gets no new lines; the outbox is emptied, then our side is shut,
	 * then the peer's end is awaited. -> CUT at the deadline. */
	CLIENT_LEAVING,
	/* Time is up: shut both ways, the rest of the outbox is given up. */
	CLIENT_CUT,
};

struct client {
	struct room *room;
	int fd; /* closed by the courier only */
	char peer[PEER_NAME_MAX];

	/* Guarded by room->lock. */
	enum client_phase phase;
	struct outbox outbox;
	int64_t deadline_ms; /* of LEAVING, or of .congested */
	bool congested;	     /* counted in room->congested */
	bool mid_line;	     /* a probe was answered without newline */
	bool shut;	     /* our side is shut */
	bool reading;	     /* the reader thread is at work */
	bool has_reader;     /* there is a thread to join */

	/* The reader's own. */
	pthread_t reader;
	struct framer framer;
	char in[READ_BYTES];
	char say[SAY_BYTES]; /* whole lines not yet said to the room */
	size_t say_len;
};

struct room {
	struct room_limits limits;
	struct report *report;
	int wake_fd; /* eventfd: the courier has something to look at */
	pthread_t courier;
	pthread_attr_t reader_attr;
	struct pollfd *polled; /* the courier's own, .capacity + 1 */

	pthread_mutex_t lock; /* guards what follows and the clients */
	pthread_cond_t calm;  /* .congested has become 0, or somebody leaves */
	struct client **clients;
	unsigned count, capacity;
	unsigned here;	    /* of these, in CLIENT_HERE */
	unsigned arriving;  /* of these, in CLIENT_ARRIVING */
	unsigned congested; /* whose outbox is half full: senders wait */
	unsigned long probes;
	bool closing;
};

int64_t now_ms(void);

/* Called with room->lock held. */
void client_set_phase(struct client *c, enum client_phase phase);
void client_leave(struct client *c, const char *notice);
void client_drop(struct client *c);
void client_flush(struct client *c);
void courier_wake(struct room *r);

/* Called by the reader, without the lock. */
bool room_say(struct client *c, const char *lines, size_t len);
void room_settle(struct client *c);
void room_answer(struct client *c, enum frame probe);
void room_left(struct client *c, int error);

void *reader_main(void *client);
void *courier_main(void *room);

#endif
