/* SPDX-License-Identifier: MIT */
/*
 * One connection: its life and its queue. Its worker alone touches it.
 *
 * Nobody blocks on a socket. A full queue drops its client at once. Half a
 * queue has room for everything that speakers may say without waiting (pace.h).
 * When a client has more in its queue, those who flood wait for it, as long as
 * it may still read.
 */
#ifndef CHAT_CONN_H
#define CHAT_CONN_H

#include "frame.h"
#include "io/listener.h"
#include "io/sendq.h"
#include "io/worker.h"

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

enum conn_phase {
	/*
	 * Just connected, or probed a moment ago. Not announced. Lines are held
	 * back, so that a prober reads the answer to its probe first. Next
	 * phase: HERE, after a line, SETTLE_MS of silence or too many held
	 * lines; or LEAVING.
	 */
	CONN_ARRIVING,
	/* In the room. -> LEAVING at its wish, by an error or when dropped. */
	CONN_HERE,
	/*
	 * Gets no new lines. Its queue is sent, our side is shut down, and the
	 * peer's end is awaited: what it sends is read and discarded, because
	 * closing a socket with unread data sends a reset, and that would
	 * destroy what the peer has not read yet. -> GONE at the peer's end, or
	 * at the deadline.
	 */
	CONN_LEAVING,
	/* Closed; freed at the end of the worker's turn. */
	CONN_GONE,
};

struct conn {
	struct worker *worker;
	struct conn *next, *previous; /* of the worker's connections */
	struct conn *next_dirty, *next_paused;
	int fd;
	uint32_t events; /* what epoll watches */
	enum conn_phase phase;

	struct sendq held;     /* lines held back while ARRIVING */
	struct sendq queue;    /* to be sent */
	struct timer timer;    /* the earliest of the deadlines below */
	int64_t settle_ms;     /* of ARRIVING */
	int64_t leave_ms;      /* of LEAVING */
	int64_t behind_ms;     /* when it fell behind */
	int64_t took_ms;       /* when its socket last took something */
	int64_t speak_ms;      /* a paused speaker looks again; 0: when woken */
	struct pace pace;      /* limits how much it says */
	struct framer *framer; /* NULL between lines, to save memory */
	char peer[PEER_NAME_MAX];

	bool refused;  /* it arrives at a full room */
	bool dirty;    /* in the worker's list */
	bool blocked;  /* its socket is full */
	bool broken;   /* its connection failed: send nothing more */
	bool ended;    /* it sent its last byte */
	bool shut;     /* our side is shut down */
	bool behind;   /* the queue is above half, not yet at a quarter */
	bool awaited;  /* behind, and counted in hub->awaited */
	bool paused;   /* waits to speak: its socket is not read */
	bool listed;   /* in the worker's list of paused ones */
	bool mid_line; /* a probe was answered without a newline */
};

static inline struct conn *conn_of_timer(struct timer *t)
{
	return (struct conn *)((char *)t - offsetof(struct conn, timer));
}

/* NULL: no memory. Freed by free() until a worker has started it. */
struct conn *conn_new(int fd, const char *peer);

/* By its worker, from here on. */
void conn_start(struct conn *c, struct worker *w);
void conn_say_goodbye(struct conn *c);
void conn_on_events(struct conn *c, uint32_t events);
void conn_on_time(struct conn *c);
/* Speakers may speak again: looks whether this one may. */
void conn_on_calm(struct conn *c);
/* Sends what is queued, sets what to wait for, ends what has ended. */
void conn_attend(struct conn *c);
void conn_free(struct conn *c);

bool conn_is_present(const struct conn *c);
void conn_settle(struct conn *c);
/* notice: NULL or a line. */
void conn_leave(struct conn *c, const char *notice);
/* Tells it the reason; what: for the output. */
void conn_refuse(struct conn *c, const char *reason, const char *what);
void conn_out_of_memory(struct conn *c);
/* The peer has ended (error 0) or its connection broke (errno). */
void conn_left(struct conn *c, int error);
void conn_queue_line(struct conn *c, struct blob *line);
/* Goes before the lines held back. */
void conn_queue_answer(struct conn *c, const char *answer, size_t len);

/* The classic wire, line.c. Returns false if the client must go. */
bool line_take(struct conn *c, const char *bytes, size_t len);
/* The peer sends no more: its last line may lack its newline. */
void line_end(struct conn *c);

#endif
