/* SPDX-License-Identifier: MIT */
/*
 * watch.h - what is looked at once a second, and the counters in the log
 *
 * Limits that were reached and packets that were lost are logged as they grow,
 * summed, never one by one.
 */
#ifndef L4LB_WATCH_H
#define L4LB_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "host/guard_count.h"

struct app;

/* What was last logged of a counter: if it grows, at most every 10 s. */
struct told {
	uint64_t count;
	uint64_t at_ns; /* 0: never */
};

/* How long packets had to wait, as nothing else is done between two polls. */
struct gauge {
	uint64_t begun_ns;   /* of this turn; 0: it waits for an event */
	uint64_t longest_ns; /* of all turns */
	uint64_t recent_ns;  /* of those since it was last asked for */
	uint64_t second_ns;  /* the same for watch_take_second() */
	uint64_t busy_ns;    /* all of them together */
	/*
	 * The same in processor time, which other processes do not lengthen;
	 * but only of turns in which something was changed or asked for, as
	 * that clock is a system call.
	 */
	uint64_t begun_cpu_ns; /* 0: such a turn is not measured */
	uint64_t recent_cpu_ns;
};

/* Zeroed: nothing was logged yet. */
struct watch {
	uint64_t looked_ns;
	bool checks_warned;    /* warned that checks cannot be made */
	unsigned pool_warned;  /* percent used of the fullest pool, last */
	struct told refused;   /* connections refused: table full */
	struct told no_port;   /* connections refused: no NAT port free */
	struct told displaced; /* half-closed flows that were recycled */
	struct told limited;   /* our answers that a rate limit stopped */
	struct told outbox;    /* resets and checks that found no room */
	struct told forgotten; /* links, neighbours ... not remembered */
	struct told unreached; /* checks not made for lack of a route */
	struct guard_balance balance;
	uint64_t weighed_ns; /* last comparison of guard and captures */
	struct gauge turn;
};

/*
 * The loop has work; it is about to wait again. @busy: not only with packets.
 */
void watch_turn_begins(struct app *app, uint64_t now_ns, bool busy);
void watch_turn_ends(struct app *app, uint64_t now_ns);

/* The longest turns since the last call of this. */
void watch_take_recent(struct app *app, uint64_t *ns, uint64_t *cpu_ns);

/* All turns so far together, and the longest since the last call of this. */
void watch_take_second(struct app *app, uint64_t *busy_ns,
		       uint64_t *longest_ns);

/* Call it at each turn; does its work once a second. */
void watch_each_second(struct app *app);

/* Logs the counters, for SIGUSR1 and at the end. */
void watch_log_counters(struct app *app);

#endif
