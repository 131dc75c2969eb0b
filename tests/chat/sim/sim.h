/* SPDX-License-Identifier: MIT */
/*
 * sim.h - three instances, a faulty bus and twenty clients on virtual time
 *
 * What runs is the chat's core: merge.h, room.h, msg.h. What is simulated is
 * around it: a log with one script (ids.h), live publication that loses,
 * delays, repeats and reorders; outages of the bus, loss of its data; instances
 * that are killed and restarted; clients that are cut, read slowly, resume
 * anywhere and retry. One seed is one history.
 *
 * At the end all is well for a while, and then must hold (judge.c):
 *   - every message of a JSON client was acked;
 *   - every JSON client has shown every message that the log has had and not
 *     lost (trimming is no loss), or was told of a gap where it was; not
 *     those that got an id a second time, after a loss, from a poster that
 *     did not know the first: a client that resumes may have passed it;
 *   - nobody was told of a gap in a log that was neither trimmed nor lost data;
 *   - a line client got no message twice on one connection (but one that the
 *     log has twice, of which the archive and the ring had one each);
 *   - all saw one order, but for messages told during an outage and those of
 *     a log that lost data;
 *   - what is kept in memory stays within its limits, all the time.
 */
#ifndef CHAT_SIM_H
#define CHAT_SIM_H

#include "core/merge.h"
#include "core/random.h"
#include "core/room.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>

#define INSTANCES    3
#define CLIENTS	     20
#define LINE_CLIENTS 5	  /* the first ones */
#define MESSAGES_MAX 2000 /* of one history */
#define PAGE	     20	  /* entries of a page: small, so there are many */
#define SOCKET	     8	  /* frames that a connection takes */
#define GAPS_MAX     256

#define RUN_MS	30000  /* with faults */
#define REST_MS 120000 /* without, so that all can catch up */
#define NOBODY	(-1)
#define NO_TIME INT64_MAX

struct world;

/* ------------------------------------------------------------------ log */

struct entry {
	struct msgid id, prev;
	unsigned number; /* of the message */
	bool lost;	 /* with the data of the bus */
	bool late;	 /* not above all before: after such a loss */
};

struct bus {
	struct entry entries[MESSAGES_MAX * 8]; /* all that ever were */
	unsigned count, first;			/* trimmed before first */
	struct msgid highest;			/* that was ever given */
	bool up;
	unsigned keep; /* entries that are not trimmed */
	unsigned losses;
};

/* ------------------------------------------------------------ instances */

/* A message that a client said here, until it comes back from the log. */
struct post {
	unsigned number;
	int client;
	unsigned connection; /* of the client: another one gets no ack */
	int64_t again_ms;
};

struct instance {
	unsigned index, life; /* grows with each start: old events are void */
	bool alive, knows_down, subscribed, opened;
	int64_t fifo_ms; /* publications come in order, but for some */
	struct merge merge;
	struct room room;
	struct room_budget budget;
	struct post posts[MESSAGES_MAX];
	unsigned post_count;
	/* The archive, which survives: sorted by id. */
	struct msg *archive[MESSAGES_MAX * 2];
	unsigned archived;
};

/* -------------------------------------------------------------- clients */

struct gap {
	struct msgid from, to;
};

enum frame_kind { FRAME_MESSAGE, FRAME_GAP, FRAME_ACK };

struct frame {
	enum frame_kind kind;
	struct msg *msg; /* a reference */
	struct gap gap;
	unsigned number;
};

struct client {
	unsigned index, connection;
	bool line, settled; /* settled: joined for the first time */
	int at;		    /* instance or NOBODY */
	struct member member;
	bool asked_archive;
	unsigned asked;	    /* how many times */
	struct msgid after; /* what it has, by its own account */
	struct msgid since; /* the head when it first joined */
	struct frame socket[SOCKET * 4];
	unsigned frames;
	bool reading; /* an event to read is on its way */
	bool shown[MESSAGES_MAX];
	unsigned order[MESSAGES_MAX], shown_count; /* in which it was shown */
	bool on_this[MESSAGES_MAX]; /* a line client's: on this connection */
	bool fed;		    /* by the archive, on this connection */
	struct gap gaps[GAPS_MAX];
	unsigned gap_count;
	unsigned pending[MESSAGES_MAX], pending_count; /* said, not acked */
};

/* ---------------------------------------------------------------- world */

struct message {
	unsigned said_by;
	bool said, acked, told;
	struct msgid id;  /* of the first entry of the log; none: not there */
	unsigned entries; /* how many the log ever had ... */
	bool survives;	  /* ... and whether it has one that is not late */
};

struct event {
	int64_t at_ms;
	uint64_t order;
	void (*run)(struct world *w, uint64_t a, uint64_t b, void *data);
	uint64_t a, b;
	void *data; /* owned by the event: run() frees it */
};

/* What a history has seen, so that a test can tell it was not harmless. */
struct stats {
	uint64_t messages, entries, repeats, gaps, fills, kills, cuts, resumes,
		outages, losses, told, identified, lagged, archived, late;
};

struct world {
	uint64_t seed;
	struct random random;
	int64_t now_ms;
	bool faults, loses_data, has_outages, short_log;
	const char *broken; /* the rule that does not hold */
	char why[200];
	bool trace;
	struct event *heap;
	unsigned events, event_capacity;
	uint64_t order;
	struct bus bus;
	struct instance instances[INSTANCES];
	struct client clients[CLIENTS];
	struct message messages[MESSAGES_MAX];
	unsigned message_count;
	struct stats stats;
};

struct world *world_new(uint64_t seed, bool trace);
/* Returns NULL if all rules held, else which one did not. */
const char *world_run(struct world *w);
void world_free(struct world *w);

/* Runs f(a, b, data) that many ms from now. */
void world_later(struct world *w, int64_t in_ms,
		 void (*run)(struct world *, uint64_t, uint64_t, void *),
		 uint64_t a, uint64_t b, void *data);
uint32_t world_random(struct world *w, uint32_t below);
/* True in about one of n cases, while there are faults. */
bool world_fault(struct world *w, uint32_t n);
void world_break(struct world *w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void world_trace(const struct world *w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

struct msg *message_new(unsigned number, struct msgid id, struct msgid prev);
unsigned message_number(const struct msg *m);

/* Of instance i: the script, with its floor. */
void bus_post(struct world *w, unsigned i, unsigned number);
/* Questions for the archive: the client that waits, and its how manieth. */
#define ARCHIVE		   0x80000000u
#define ARCHIVE_CLIENT(q)  ((q) % 32)
#define ARCHIVE_OF(c, nth) (ARCHIVE | ((nth)*32 % ARCHIVE) | (c))
/* last: the last PAGE entries. question: of the merge or the archive. */
void bus_ask(struct world *w, unsigned i, struct msgid after, bool last,
	     unsigned question);
void bus_outage(struct world *w);
void bus_lose(struct world *w);

void instance_start(struct world *w, unsigned i);
void instance_kill(struct world *w, unsigned i);
void instance_publish(struct world *w, unsigned i, const struct entry *e);
/* Its subscription was interrupted and stands again. */
void instance_interrupted(struct world *w, unsigned i);
/* count entries, or the question failed. */
void instance_page(struct world *w, unsigned i, const struct entry *entries,
		   unsigned count, bool complete, bool failed,
		   unsigned question);
void instance_say(struct world *w, unsigned i, unsigned number, unsigned client,
		  bool retry);
void instance_bus_state(struct world *w, unsigned i, bool down);
struct msg *archive_next(struct instance *n, struct msgid after);
bool archive_repeats(const struct instance *n, const struct msg *m);

void client_start(struct world *w, unsigned c);
void client_cut(struct world *w, unsigned c);
void client_say(struct world *w, unsigned c);
/* The instance is ready: sits down. */
void client_join(struct world *w, unsigned c);
bool client_is_full(const struct client *c);
void client_hand(struct world *w, unsigned c, struct msg *m);
void client_put(struct world *w, unsigned c, struct frame f);
/* Its socket or the archive has something new: goes on if it lags. */
void client_feed(struct world *w, unsigned c);
void client_archive_answered(struct world *w, unsigned question, bool failed);

void judge_limits(struct world *w);
void judge_end(struct world *w);

#endif
