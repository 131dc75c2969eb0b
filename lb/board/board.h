/* SPDX-License-Identifier: MIT */
/*
 * board.h - what l4lb shows of itself to other processes, without being asked
 *
 * The board is a memfd: a head that never changes, then tables of rows. l4lb
 * writes a row whenever it likes, and never looks at who reads; readers map the
 * board read-only. A row is of one instant: whatever holds between its numbers
 * in l4lb (requests = succeeded + failed + pending) holds in each copy of it.
 * Two rows may be of different instants, a tenth of a second apart.
 *
 * Rows have the slots of the configuration and the engine (core/slot.h). What a
 * row of a free slot says is what its last owner was: the journal may still
 * name it.
 *
 * The layout is of one version of one build: whoever maps a board checks the
 * head first. Times are of clock_now_ns() (ns, CLOCK_BOOTTIME); add
 * .wall_offset_ns of the global row for the time of day.
 */
#ifndef L4LB_BOARD_H
#define L4LB_BOARD_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/counters.h"
#include "core/err.h"
#include "core/params.h"
#include "core/view.h"

#define BOARD_MAGIC   "l4lbbord" /* 8 bytes, no final 0 */
#define BOARD_VERSION 1		 /* of all structs of lb/board */

#define BOARD_NAME_MAX	32 /* bytes of a name or an id, with the final 0 */
#define BOARD_TEXT_MAX	64 /* bytes of a short text, with the final 0 */
#define BOARD_RINGS	2  /* io/tap_match.h: that of flows, that of SYNs */
#define BOARD_SERVICES	64
#define BOARD_BACKENDS	256 /* per service */
#define BOARD_TAPS	256 /* interfaces */
#define BOARD_POOLS_MAX 16384

/* What never changes while l4lb lives. */
struct board_head {
	char magic[8];
	uint32_t version;
	uint32_t head_bytes; /* of this struct */
	/* Of the struct in each row, and how many rows there are. */
	uint32_t global_bytes, service_bytes, backend_bytes, pool_bytes,
		tap_bytes;
	uint32_t services, backends; /* slots; backends of each service */
	uint32_t pools, taps;
	uint32_t drop_reasons, flow_ends; /* that this build knows */
	uint32_t flows;			  /* places in the flow table */
	uint32_t journal_records;
	int32_t pid;		      /* of l4lb */
	uint64_t started_ns;	      /* of this process */
	uint64_t started_wall_ns;     /* since 1970, as the clock was then */
	char name[BOARD_NAME_MAX];    /* of the instance */
	char release[BOARD_NAME_MAX]; /* of l4lb: "0.1.0" */
};
static_assert(sizeof(struct board_head) == 8 + 16 * 4 + 2 * 8 + 64,
	      "no padding");

/* The pair of ends that has used most of its NAT ports. */
struct board_fullest {
	struct ip_addr source;
	struct endpoint backend;
	uint16_t used_percent;
	uint32_t zero;
};

/* How busy the one thread is. */
struct board_loop {
	uint64_t busy_ns,
		all_ns;	     /* between polls, and in all, since .started */
	uint64_t longest_ns; /* the longest turn since then */
	uint64_t recent_ns;  /* the longest of the last full second */
	uint32_t busy_ppm;   /* busy in the last full second, millionths */
	uint32_t zero;
};

enum board_guard { BOARD_GUARD_AUTO, BOARD_GUARD_KEEP, BOARD_GUARD_NONE };

struct board_ring {
	uint64_t captured; /* frames, with those that were dropped */
	uint64_t dropped;  /* the ring was full */
};

struct board_global {
	uint64_t published_ns;	      /* when this row was written */
	int64_t wall_offset_ns;	      /* time of day = time + this */
	uint64_t generation;	      /* changes of the configuration so far */
	uint64_t rows_generation;     /* all rows are of this one or later */
	uint64_t changed_ns;	      /* the last of them; 0: none */
	char changed[BOARD_TEXT_MAX]; /* why: "reload", or who: "uid:0" */
	uint64_t hups; /* SIGHUPs so far: reopen what is written to */
	uint64_t reloads_ok, reloads_failed;
	uint64_t flows_opened; /* so far, those of earlier processes included */
	uint32_t flows_used, flows_size;
	uint32_t flows_high;  /* places used so far; see flows_reader_end() */
	uint32_t services;    /* slots used so far, maybe with holes */
	uint32_t pools, taps; /* rows used so far */
	uint64_t journal_written;	  /* records so far */
	uint64_t journal_skipped;	  /* refusals that were only counted */
	struct service_counters requests; /* of all services that ever were */
	struct engine_counters engine;
	struct board_ring rings[BOARD_RINGS]; /* those of flows, of SYNs */
	struct board_loop loop;
	struct board_fullest fullest;
	uint32_t guard;	   /* enum board_guard */
	uint32_t stopping; /* 1: it ends */
	char datapath[16]; /* "pcap" */
};

struct board_service {
	uint32_t slot;	     /* enum slot */
	uint32_t n_backends; /* slots used so far, maybe with holes */
	char name[BOARD_NAME_MAX];
	struct endpoint listen;
	uint8_t away;		    /* 1: its address is not on this host now */
	uint8_t reset_out_of_state; /* 1: as the key says, else drop */
	uint32_t scheduler;	    /* enum sched_kind */
	uint32_t checked;	    /* 0: no checks */
	uint32_t check;		    /* enum check_kind, if .checked */
	uint32_t rise, fall;	    /* of the checks */
	uint32_t half_open, half_open_limit;
	uint32_t flows;	      /* open now, of all its backends */
	uint32_t live;	      /* backends that are LIVE, */
	uint32_t takes_flows; /* those of them that take connections, */
	uint32_t up;	      /* and those that are up by their checks */
	uint64_t since_ns;    /* it became LIVE */
	struct service_counters counters;
};

enum board_health {
	BOARD_UP,
	BOARD_DOWN,	/* by its checks */
	BOARD_UNPROVEN, /* a newcomer, before its first check */
	BOARD_HEALTHS
};

/* "up", "down", "unproven"; stable. */
const char *board_health_name(enum board_health health);

struct board_backend {
	uint32_t slot; /* enum slot */
	char id[BOARD_NAME_MAX];
	struct endpoint addr;
	uint16_t service;
	struct ip_addr source;	  /* our first toward it; unset: no route yet */
	struct ip_addr alternate; /* may replace it; unset: none */
	uint32_t weight;
	uint8_t backup;
	uint8_t admin;	       /* enum admin */
	uint8_t health;	       /* enum board_health */
	uint8_t breaker;       /* enum breaker_state */
	uint8_t takes_flows;   /* 1: new connections may go to it now */
	uint8_t answered;      /* 1: it answered .source once */
	uint8_t last;	       /* enum check_result of its last check */
	uint8_t checked;       /* 1: it is checked, and .last says something */
	uint32_t check_streak; /* checks in a row that contradict .health */
	uint32_t backoff_ms;   /* the latest of its breaker; 0: none */
	uint32_t flows;	       /* open now */
	uint32_t refs;	       /* flows that name it, closed ones too */
	uint32_t zero;
	uint64_t since_ns; /* the last change of .health, or by the breaker */
	uint64_t downtime_ns; /* so far, with this one if it is down now */
	struct backend_counters counters;
};

/* The NAT ports of one of our addresses toward one backend. */
struct board_pool {
	struct ip_addr source;
	struct endpoint backend;
	uint16_t holders;    /* backends that have it; 0: none does now */
	uint32_t size;	     /* ports */
	uint32_t used;	     /* by flows, closed ones too */
	uint32_t recyclable; /* of these, taken back when they are needed */
};

/* What an interface has brought. */
struct board_tap {
	char interface[16];
	uint64_t captured[BOARD_RINGS]; /* frames for us */
};

static_assert(sizeof(struct board_global) % 8 == 0, "copied by words");
static_assert(sizeof(struct board_service) % 8 == 0, "copied by words");
static_assert(sizeof(struct board_backend) % 8 == 0, "copied by words");
static_assert(sizeof(struct board_pool) % 8 == 0, "copied by words");
static_assert(sizeof(struct board_tap) % 8 == 0, "copied by words");

/* ------------------------------------------------------------------ reading */

struct board_reader;

/*
 * Reads the board at @at, @bytes of memory that shared_map() has mapped and
 * that stay mapped until board_reader_close(). -EINVAL: it is no board, or not
 * of this version and build; @err has the sentence. -ENOMEM.
 *
 * Any number of threads may read with one reader.
 */
int board_reader_open(const void *at, size_t bytes, struct board_reader **out,
		      struct err *err);
void board_reader_close(struct board_reader *r); /* accepts NULL */

/* Valid until board_reader_close(). */
const struct board_head *board_reader_head(const struct board_reader *r);

/*
 * Copies the row. A reader never waits: if l4lb was stopped or killed in the
 * middle of writing, the row is what it was before. False: the row was never
 * written, or (which takes a writer gone mad) was rewritten at each of very
 * many tries.
 */
bool board_read_global(const struct board_reader *r, struct board_global *out);

/*
 * The same for a slot. False also if the slot is free; @out then has what its
 * last owner was, or zeros. Any index is allowed: one that is too high is of a
 * slot that is free.
 */
bool board_read_service(const struct board_reader *r, unsigned service,
			struct board_service *out);
bool board_read_backend(const struct board_reader *r, unsigned service,
			unsigned backend, struct board_backend *out);
bool board_read_pool(const struct board_reader *r, unsigned pool,
		     struct board_pool *out);
bool board_read_tap(const struct board_reader *r, unsigned tap,
		    struct board_tap *out);

/* ------------------------------------------------------------------ writing */

struct board;

struct board_spec {
	const char *name;			  /* of the instance; copied */
	uint32_t services, backends, pools, taps; /* rows */
	uint32_t flows, journal_records; /* these are for the head alone */
	int32_t pid;
	uint64_t started_ns, started_wall_ns;
};

/*
 * Makes the board: memory that is there as far as rows are written. Nobody can
 * change its size; nobody but this process can write to it, though it is given
 * board_fd().
 */
int board_open(struct board **out, const struct board_spec *spec,
	       struct err *err);
void board_close(struct board *b); /* accepts NULL */

/* Read-only and close-on-exec; the board's own. */
int board_fd(const struct board *b);

/* @i and @k are below what the spec says. */
void board_write_global(struct board *b, const struct board_global *row);
void board_write_service(struct board *b, unsigned i,
			 const struct board_service *row);
void board_write_backend(struct board *b, unsigned i, unsigned k,
			 const struct board_backend *row);
void board_write_pool(struct board *b, unsigned i,
		      const struct board_pool *row);
void board_write_tap(struct board *b, unsigned i, const struct board_tap *row);

/* What was written last; zeros before. Valid until the row is written again. */
const struct board_service *board_last_service(const struct board *b,
					       unsigned i);
const struct board_backend *board_last_backend(const struct board *b,
					       unsigned i, unsigned k);

#endif
