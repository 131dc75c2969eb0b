/* SPDX-License-Identifier: MIT */
/*
 * journal.h - what happened, in order: a ring that l4lb writes and others read
 *
 * A memfd with a fixed number of records, a power of two. The writer overwrites
 * the oldest and never looks at readers. A reader that is too slow loses
 * records, and learns exactly how many. Records are numbered from 1 on; the
 * numbers begin anew with each process of l4lb.
 *
 * Every flow that was opened has one JOURNAL_OPENED and, when it is over, one
 * JOURNAL_ENDED with its final numbers. core/note.h says what happens to a flow
 * that ended and goes on all the same (JOURNAL_REVIVED).
 */
#ifndef L4LB_JOURNAL_H
#define L4LB_JOURNAL_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/err.h"
#include "core/flow.h"

#define JOURNAL_MAGIC	"l4lbjrnl" /* 8 bytes, no final 0 */
#define JOURNAL_VERSION 1

#define JOURNAL_RECORDS_MIN	1024u /* powers of two */
#define JOURNAL_RECORDS_DEFAULT 65536u
#define JOURNAL_RECORDS_MAX	1048576u

#define JOURNAL_BY_MAX	 64 /* bytes, with the final 0 */
#define JOURNAL_TEXT_MAX 72 /* the same; a longer text ends in "..." */

/* Stable: shown by journal_kind_name(). */
enum journal_kind {
	JOURNAL_OPENED = 1,   /* a SYN was sent to a backend */
	JOURNAL_REDISPATCHED, /* it was sent to another one */
	JOURNAL_ENDED,	      /* .reason: enum flow_end */
	JOURNAL_REVIVED,      /* a flow that had ended goes on */
	JOURNAL_REFUSED,  /* .reason: enum drop_reason; .client and .vip only */
	JOURNAL_BACKEND,  /* .reason: enum backend_event; .event */
	JOURNAL_OPERATOR, /* .reason: enum journal_operator; .event */
	JOURNAL_KINDS
};

enum journal_operator {
	OPERATOR_STARTED,  /* this process of l4lb did */
	OPERATOR_CHANGED,  /* .text: the command */
	OPERATOR_RELOADED, /* .text: "nothing is different", or "" */
	OPERATOR_REFUSED,  /* a reload; .text: why */
	OPERATOR_SAVED,
	OPERATOR_KILLED, /* .flow: the flow that was to end */
	OPERATOR_STOPS,	 /* l4lb was told to end */
	OPERATOR_EVENTS
};

struct journal_flow {
	struct endpoint client, vip, nat, backend;
	uint64_t duration_ns; /* since it was opened */
	uint64_t packets[FLOW_SIDES], bytes[FLOW_SIDES]; /* from each side */
	/* As in struct flow_note. */
	uint32_t handshake_us, first_byte_us;
	uint16_t retransmits[FLOW_SIDES];
	uint8_t tries, why, flags;
	uint8_t state; /* enum tcp_state when this was written */
};

struct journal_event {
	char by[JOURNAL_BY_MAX]; /* "uid:0"; "": nobody asked for it */
	char text[JOURNAL_TEXT_MAX];
};

/* Three cache lines. */
struct journal_record {
	uint32_t mark, zero; /* of the ring: nothing for readers */
	uint64_t seq;	     /* its number */
	uint64_t ends;	     /* JOURNAL_ENDED records before this one */
	uint64_t time_ns;    /* clock_now_ns() */
	uint64_t id;	     /* of the flow; 0: none */
	uint32_t index;	     /* its place in the table */
	uint16_t service;    /* slots; JOURNAL_NO_SLOT: none */
	uint16_t backend;
	uint8_t kind; /* enum journal_kind */
	uint8_t reason;
	uint8_t detail; /* of JOURNAL_BACKEND: enum check_result */
	uint8_t zeros[5];
	union {
		struct journal_flow flow;
		struct journal_event event;
	};
};
#define JOURNAL_NO_SLOT UINT16_MAX
static_assert(sizeof(struct journal_record) == 192, "three cache lines");
static_assert(offsetof(struct journal_record, flow) % 8 == 0, "aligned");

/* "opened", "redispatched"...; NULL if there is no such kind. */
const char *journal_kind_name(enum journal_kind kind);
/* "started", "changed", "reloaded"...; the same. */
const char *journal_operator_name(enum journal_operator what);

/* True if the record has .flow: JOURNAL_OPENED to JOURNAL_REFUSED. */
static inline bool journal_is_flow(const struct journal_record *r)
{
	return r->kind >= JOURNAL_OPENED && r->kind <= JOURNAL_REFUSED;
}

/* ------------------------------------------------------------------ reading */

struct journal_reader;

/*
 * As board_reader_open(). Any number of threads may read with one reader, each
 * by a cursor of its own.
 */
int journal_reader_open(const void *at, size_t bytes,
			struct journal_reader **out, struct err *err);
void journal_reader_close(struct journal_reader *r); /* accepts NULL */

uint32_t journal_reader_records(const struct journal_reader *r);
/* Records so far, that is, the number of the latest; 0: none. */
uint64_t journal_reader_written(const struct journal_reader *r);
/* The number of the oldest that is still there; 1 if there is none. */
uint64_t journal_reader_oldest(const struct journal_reader *r);

/* Where one reads. A plain value, which may be copied and kept elsewhere. */
struct journal_cursor {
	uint64_t next;	    /* number of the record to read next; from 1 on */
	uint64_t lost;	    /* records that were lost so far */
	uint64_t lost_ends; /* of these, JOURNAL_ENDED; known with the next
			     * record that is read */
	uint64_t ends; /* JOURNAL_ENDED up to the last record that was read;
			* JOURNAL_UNKNOWN: none was read */
};
#define JOURNAL_UNKNOWN UINT64_MAX

/*
 * A cursor at record @seq, even if that one is lost; at the next one to come if
 * @seq is above that. 0: at the oldest that is still there. .lost_ends counts
 * from the first record that is read, or from the beginning if @seq is 1.
 */
struct journal_cursor journal_seek(const struct journal_reader *r,
				   uint64_t seq);

enum journal_got {
	JOURNAL_NONE,	/* nothing new */
	JOURNAL_RECORD, /* @out has it, and the cursor is behind it */
	/* Records were lost, *lost of them; the cursor is at one that is
	 * there, unless it is lost as well. Ask again.
	 */
	JOURNAL_LOST,
};

enum journal_got journal_next(const struct journal_reader *r,
			      struct journal_cursor *c,
			      struct journal_record *out, uint64_t *lost);

/* ------------------------------------------------------------------ writing */

struct journal;

/* @records: a power of two between the limits above. As board_open(). */
int journal_open(struct journal **out, uint32_t records, struct err *err);
void journal_close(struct journal *j); /* accepts NULL */
int journal_fd(const struct journal *j);

/* Numbers @record and writes it: sets .mark, .seq and .ends of it. */
void journal_write(struct journal *j, struct journal_record *record);
uint64_t journal_written(const struct journal *j);

#endif
