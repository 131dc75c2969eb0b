/* SPDX-License-Identifier: MIT */
/* sched.h - the schedulers by name; core/sched/ has what they do */
#ifndef L4LB_SCHED_H
#define L4LB_SCHED_H

enum sched_kind {
	SCHED_RR,     /* in turn */
	SCHED_WRR,    /* in turn, by weight, interleaved */
	SCHED_LC,     /* fewest open flows */
	SCHED_WLC,    /* fewest open flows for its weight */
	SCHED_HASH,   /* by the client's address: weighted rendezvous */
	SCHED_MAGLEV, /* by the client's address: a table */
	SCHED_P2C,    /* the better of two at random */
	SCHED_KINDS
};

#define SCHED_NAMES "rr, wrr, lc, wlc, hash, maglev or p2c" /* for messages */

/* The name in the configuration, or NULL. */
const char *sched_name(enum sched_kind kind);
/*
 * By its name or one of the words that other balancers have for it, with - or _
 * between two words. SCHED_KINDS if no scheduler has that name.
 */
enum sched_kind sched_by_name(const char *name);

#endif
