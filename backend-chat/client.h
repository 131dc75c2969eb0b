/* SPDX-License-Identifier: MIT */
/*
 * What room.c, client.c, reader.c and courier.c share. Nobody else includes it.
 *
 * One lock, the room's, guards every list, phase and queue. What is said is
 * queued for all under it, so all clients see all lines in one order. It is
 * held for memory only: to send, somebody claims a client, takes its queue and
 * lets go of the lock. Creating and ending threads and closing sockets happen
 * without it as well.
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

/* A prober is gone, and a client has settled, after this long. */
#define SETTLE_MS 300
/*
 * Who says more than its share (pace.h) waits so long for one that is behind,
 * until that one's queue, half full, is down to a quarter; and so long while it
 * takes nothing: a segment that was lost twice, a machine that is busy.
 */
#define PATIENCE_MS 10000
#define SILENCE_MS  3000
/*
 * Once that was in vain, those who are deaf and come again must not renew it:
 * for a while no longer silence is waited for.
 */
#define WARY_MS		30000
#define WARY_SILENCE_MS 100
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
	/* Gets no new lines; what is queued is sent, then our side is shut,
	 * then the peer's end is awaited. -> CUT at the deadline. */
	CLIENT_LEAVING,
	/* Time is up: shut both ways, what is still queued is given up. */
	CLIENT_CUT,
};

struct client {
	struct room *room;
	int fd; /* closed by the courier only */
	char peer[PEER_NAME_MAX];

	/* Guarded by room->lock. */
	enum client_phase phase;
	struct outbox held;  /* lines kept back from one that is ARRIVING */
	struct outbox queue; /* to be sent once .flight is gone */
	size_t flying;	     /* bytes in .flight when last looked */
	bool sending;	     /* somebody owns .flight, without the lock */
	bool blocked;	     /* its socket is full: the courier watches it */
	bool broken;	     /* its connection: nothing more is sent */
	bool behind;	     /* more than half a queue, not yet a quarter */
	bool awaited;	     /* that, and counted in room->awaited */
	int64_t behind_ms;   /* since when it is behind */
	int64_t took_ms;     /* when its socket took something last */
	int64_t deadline_ms; /* of LEAVING */
	bool mid_line;	     /* a probe was answered without newline */
	bool shut;	     /* our side is shut */
	bool starting;	     /* its reader thread is being made */
	bool reading;	     /* the reader thread is at work */
	bool has_reader;     /* there is a thread to join */
	struct pace pace;    /* of what it says */

	/* Owned by whoever set .sending, under the lock while nobody did. */
	struct outbox flight;

	/* In a list of those whom one thread has claimed, or removed. */
	struct client *next;

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
	/* The courier's own, .capacity + 1 each, side by side. */
	struct pollfd *polled;
	struct client **polled_client;

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t calm;  /* nobody is awaited, or a client leaves */
	struct client **clients;
	unsigned count, capacity;
	unsigned here;	   /* of these, in CLIENT_HERE */
	unsigned arriving; /* of these, in CLIENT_ARRIVING */
	unsigned awaited;  /* of these, behind and worth waiting for */
	int64_t wary_ms;   /* until then no silence is waited for */
	struct pace_room pace;
	unsigned long probes;
	bool closing;
};

int64_t now_us(void);
int64_t now_ms(void);
void courier_wake(struct room *r);

/* Called with room->lock held. */
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

/* The same: put c before *list, unless there is nothing to send just now. */
void client_claim(struct client *c, struct client **list);

/* Without the lock: send what those of the list have queued. */
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
