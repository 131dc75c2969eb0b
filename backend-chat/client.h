/* SPDX-License-Identifier: MIT */
/*
 * Shared by room.c, client.c, reader.c and courier.c only.
 *
 * One lock, the room's, guards every list, phase and queue. A line is queued
 * for all clients under it, so all see all lines in the same order. The lock is
 * held only for work in memory. To send, a thread claims a client, takes its
 * queue and releases the lock. Threads are created and joined, and sockets
 * closed, without the lock as well.
 */
#ifndef CHAT_CLIENT_H
#define CHAT_CLIENT_H

#include "frame.h"
#include "listener.h"
#include "outbox.h"
#include "pace.h"
#include "room.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* After this time a prober is gone and a client has settled. */
#define SETTLE_MS 300
/*
 * A speaker above its share (pace.h) waits for a client that is behind, at most
 * PATIENCE_MS, until that client's queue has shrunk from a half to a quarter.
 * It waits at most SILENCE_MS while the client takes nothing: time for a
 * segment that was lost twice, or for a busy machine.
 */
#define PATIENCE_MS 10000
#define SILENCE_MS  3000
/*
 * After a wait in vain, clients that never read could cause another one by
 * reconnecting. So for WARY_MS nobody waits longer than WARY_SILENCE_MS for a
 * client that takes nothing.
 */
#define WARY_MS		30000
#define WARY_SILENCE_MS 100
/* The time that a leaving client has to take the rest of its queue. */
#define LEAVING_MS 5000
/* The same when the server closes. */
#define CLOSING_MS 2000
/* Lines held back from a client that may prove to be a prober. */
#define HELD_BYTES_MAX 16384

#define READ_BYTES 4096
#define SAY_BYTES  8192

enum client_phase {
	/*
	 * Just connected, or probed a moment ago. Not announced. Lines are held
	 * back, so that a prober reads the answer to its probe first. Next
	 * phase: HERE, after a line, SETTLE_MS of silence or too many held
	 * lines; or LEAVING.
	 */
	CLIENT_ARRIVING,
	/* In the room. -> LEAVING at its wish, by an error or when dropped. */
	CLIENT_HERE,
	/*
	 * Gets no new lines. Its queue is sent, our side is shut down, and the
	 * peer's end is awaited. -> CUT at the deadline.
	 */
	CLIENT_LEAVING,
	/* Time is up: both directions are shut down, the queue is discarded. */
	CLIENT_CUT,
};

struct client {
	struct room *room;
	int fd; /* closed by the courier only */
	char peer[PEER_NAME_MAX];

	/* Guarded by room->lock. */
	enum client_phase phase;
	struct outbox held;  /* lines held back while ARRIVING */
	struct outbox queue; /* to be sent after .flight */
	size_t flying;	     /* bytes in .flight at the last look */
	bool sending;	     /* a thread owns .flight, without the lock */
	bool blocked;	     /* its socket is full: the courier polls it */
	bool broken;	     /* its connection failed: send nothing more */
	bool behind;	     /* the queue is above half, not yet at a quarter */
	bool awaited;	     /* behind, and counted in room->awaited */
	int64_t behind_ms;   /* when it fell behind */
	int64_t took_ms;     /* when its socket last took something */
	int64_t deadline_ms; /* of LEAVING */
	bool mid_line;	     /* a probe was answered without a newline */
	bool shut;	     /* our side is shut down */
	bool starting;	     /* its reader thread is being created */
	bool reading;	     /* the reader thread is running */
	bool has_reader;     /* a thread must be joined */
	struct pace pace;    /* limits how much it says */

	/* Owned by whichever thread set .sending, else guarded by the lock. */
	struct outbox flight;

	/* Links the clients that one thread has claimed or removed. */
	struct client *next;

	/* Owned by the reader. */
	pthread_t reader;
	struct framer framer;
	char in[READ_BYTES];
	char say[SAY_BYTES]; /* complete lines, not said yet */
	size_t say_len;
};

struct room {
	struct room_limits limits;
	struct report *report;
	int wake_fd; /* eventfd: wakes the courier */
	pthread_t courier;
	pthread_attr_t reader_attr;
	/* Owned by the courier: parallel arrays of .capacity + 1 entries. */
	struct pollfd *polled;
	struct client **polled_client;

	pthread_mutex_t lock; /* guards all fields below */
	pthread_cond_t calm;  /* nobody is awaited, or a client leaves */
	struct client **clients;
	unsigned count, capacity;
	unsigned here;	   /* how many of these are in CLIENT_HERE */
	unsigned arriving; /* how many are in CLIENT_ARRIVING */
	unsigned awaited;  /* how many are behind and worth waiting for */
	int64_t wary_ms;   /* until then silent clients are not awaited */
	struct pace_room pace;
	unsigned long probes;
	bool closing;
};

int64_t now_us(void);
int64_t now_ms(void);
void courier_wake(struct room *r);

/* The caller holds room->lock. */
bool client_is_present(const struct client *c);
size_t client_queued(const struct client *c);
void client_set_phase(struct client *c, enum client_phase phase);
void client_settle(struct client *c);
void client_leave(struct client *c, const char *notice);
void client_refuse(struct client *c, const char *reason);
void client_queue_lines(struct client *c, const char *lines, size_t len);
void client_queue_answer(struct client *c, const char *answer, size_t len);
int64_t client_awaited_until_ms(const struct client *c);
void client_give_up(struct client *c);

/*
 * The caller holds the lock. Puts c in front of *list if there is something to
 * send now.
 */
void client_claim(struct client *c, struct client **list);

/* Without the lock: sends the queues of the clients in the list. */
void clients_send(struct client *list);

/* Called by the reader, without the lock. */
bool room_say(struct client *c, const char *lines, size_t len);
void room_settle(struct client *c);
void room_answer(struct client *c, enum frame probe);
void room_refuse_name(struct client *c);
void room_left(struct client *c, int error);

void *reader_main(void *client);
void *courier_main(void *room);

#endif
