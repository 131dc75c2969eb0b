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

#include "core/linecmd.h"
#include "core/ws.h"
#include "core/wsjson.h"
#include "frame.h"
#include "io/listener.h"
#include "io/seat.h"
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
/* The same for the last response of HTTP, which may be long. */
#define LEAVING_WEB_MS 30000
/* The same when the server closes. */
#define CLOSING_MS 2000
/* A reader that lags and takes nothing for so long is dropped. */
#define STALLED_MS 30000
/* Posts without an answer before its socket is not read. */
#define UNACKED_MAX 32
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

/* What a connection speaks. */
enum wire {
	WIRE_UNKNOWN, /* its first line is not complete; hears lines */
	WIRE_LINES,
	WIRE_HTTP,
	WIRE_WS,	 /* JSON messages in WebSocket frames */
	WIRE_JSON_LINES, /* the same, an object a line */
};

/* Somebody with a name, or who wants one. */
struct user {
	char nick[NAME_MAX_BYTES];   /* empty until it holds one */
	char wanted[NAME_MAX_BYTES]; /* asked the bus for; empty: nothing */
	char token[TOKEN_LEN + 1];
	char hash[TOKEN_HASH_LEN + 1]; /* of the token */
	bool asked; /* it asked for .wanted itself, and gets an answer */
};

struct conn {
	struct worker *worker;
	struct conn *next, *previous; /* of the worker's connections */
	struct conn *next_dirty, *next_paused;
	int fd;
	uint64_t ticket; /* its name for the bus and the store */
	uint32_t events; /* what epoll watches */
	enum conn_phase phase;
	enum sniff_port port;
	enum wire wire;
	enum form form; /* in which it gets messages */

	struct sendq held;  /* lines held back while ARRIVING */
	struct sendq queue; /* to be sent */
	struct timer timer; /* the earliest of the deadlines below */
	int64_t settle_ms;  /* of ARRIVING; INT64_MAX: does not settle */
	int64_t leave_ms;   /* of LEAVING, or of .ending */
	int64_t wire_ms;    /* of its wire; INT64_MAX: none */
	int64_t behind_ms;  /* when it fell behind */
	int64_t took_ms;    /* when its socket last took something */
	int64_t slow_ms;    /* not read before: it said too much (rate) */
	int64_t speak_ms;   /* a paused speaker looks again; 0: when woken */
	struct pace pace;   /* limits how much it says */
	struct rate said, asked, joined; /* if the hub has_rate */

	struct seat *seats; /* its rooms */
	unsigned seat_count;
	unsigned unacked;      /* posts without an answer */
	struct user *user;     /* NULL: without a name */
	struct writer first;   /* of WIRE_UNKNOWN: its bytes so far */
	struct framer *framer; /* NULL between lines, to save memory */
	struct web *web;       /* of WIRE_HTTP */
	struct json_client *json;
	char guest[GUEST_LEN + 1];
	char peer[PEER_NAME_MAX];

	bool refused;  /* it arrives at a full room */
	bool dirty;    /* in the worker's list */
	bool blocked;  /* its socket is full */
	bool broken;   /* its connection failed: send nothing more */
	bool ended;    /* it sent its last byte */
	bool ending;   /* it leaves when its posts are answered */
	bool told;     /* something was sent to it */
	bool shut;     /* our side is shut down */
	bool behind;   /* the queue is above half, not yet at a quarter */
	bool awaited;  /* behind, and counted in hub->awaited */
	bool lagging;  /* some of its seats are fed from the log */
	bool paused;   /* waits to speak: its socket is not read */
	bool listed;   /* in the worker's list of paused ones */
	bool waits;    /* its wire reads nothing before an answer */
	bool mid_line; /* a probe was answered without a newline */
};

static inline struct conn *conn_of_timer(struct timer *t)
{
	return (struct conn *)((char *)t - offsetof(struct conn, timer));
}

/* NULL: no memory. Freed by free() until a worker has started it. */
struct conn *conn_new(int fd, const char *peer, enum sniff_port port);

/* By its worker, from here on. */
void conn_start(struct conn *c, struct worker *w);
void conn_say_goodbye(struct conn *c);
void conn_on_events(struct conn *c, uint32_t events);
void conn_on_time(struct conn *c);
/* Speakers may speak again: looks whether this one may. */
void conn_on_calm(struct conn *c);
/* An answer to a post. */
void conn_on_posted(struct conn *c, const struct note *n);
/* It is looked after at the end of the turn. */
void conn_touch(struct conn *c);
/* Sends what is queued, sets what to wait for, ends what has ended. */
void conn_attend(struct conn *c);
void conn_free(struct conn *c);

static inline struct hub *conn_hub(const struct conn *c)
{
	return c->worker->hub;
}
bool conn_is_present(const struct conn *c);
static inline bool conn_is_json(const struct conn *c)
{
	return c->wire == WIRE_WS || c->wire == WIRE_JSON_LINES;
}
/* Its queue takes no more now; what is said next is for later. */
bool conn_is_full(const struct conn *c);

void conn_settle(struct conn *c);
/* It goes, once its posts are answered. */
void conn_leave(struct conn *c);
/* It goes now, with a last line or frame; what: for the output, or NULL. */
void conn_end_with(struct conn *c, const char *last, size_t len,
		   const char *what);
/* Tells it the reason; what: for the output. */
void conn_refuse(struct conn *c, const char *reason, const char *what);
void conn_out_of_memory(struct conn *c);
/* The log has passed it, or it has not taken anything for too long. */
void conn_drop(struct conn *c);
/* Closes without a word: a request line in a room that heard others. */
void conn_reset(struct conn *c);

/*
 * A message for it; also says lines of a room. False: it takes no more, and
 * shall read it from the log later.
 */
bool conn_queue_msg(struct conn *c, struct msg *m);
/* Goes before the lines held back. */
void conn_queue_answer(struct conn *c, const char *answer, size_t len);
void conn_queue_blob(struct conn *c, struct blob *answer);
/* The same with what was written; frees w. */
void conn_queue_writer(struct conn *c, struct writer *w);

/* It said something: if the hub has_rate it may be read later only. */
void conn_owe(struct conn *c, struct rate *r, struct rate_limit limit);

/* Posts m, and takes the caller's reference. retry: it was said before. */
enum post { POST_OK, POST_BUSY, POST_NO_MEMORY };
enum post conn_post(struct conn *c, struct msg *m, bool retry);

/* ------------------------------------------------------------- wires */

/* Each returns false if the client must go. */
bool sniff_take(struct conn *c, struct slice in);
bool line_take(struct conn *c, struct slice in);
bool web_take(struct conn *c, struct slice in);
bool json_take(struct conn *c, struct slice in);

/* The peer sends no more. */
void sniff_end(struct conn *c);
void line_end(struct conn *c);
void web_end(struct conn *c);

/* Answers that came by the inbox. */
void line_on_joined(struct conn *c, struct seat *seat);
void json_on_joined(struct conn *c, struct seat *seat);
void line_on_claimed(struct conn *c, struct slice nick, bool taken);
void json_on_claimed(struct conn *c, struct slice nick, bool taken);
void json_on_posted(struct conn *c, const struct note *n);
void web_on_posted(struct conn *c, const struct note *n);
void line_on_page(struct conn *c, const struct note *n);
void json_on_page(struct conn *c, const struct note *n);
void web_on_page(struct conn *c, const struct note *n);
void web_on_time(struct conn *c);
/* Its queue is empty. */
void web_on_drained(struct conn *c);
/* False: no memory. */
bool web_start(struct conn *c);
void web_free(struct conn *c);

/* A request that becomes a WebSocket; rest: what came behind it. */
bool json_start(struct conn *c, enum wire wire);
void json_free(struct conn *c);
/* The instance ends: it is told when to come back, and closed then. */
void json_drain(struct conn *c);
void json_on_time(struct conn *c);
void json_close(struct conn *c, unsigned code, const char *reason,
		const char *what);
/* Sends one object, and frees w. */
void json_send(struct conn *c, struct writer *w);
/* The bytes of an object on a wire, for many. NULL: no memory. */
struct blob *json_blob(struct slice object, enum wire wire);

#endif
