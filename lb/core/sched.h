/* SPDX-License-Identifier: MIT */
/* sched.h - which backend takes the next flow */
#ifndef L4LB_SCHED_H
#define L4LB_SCHED_H

enum sched_kind {
	SCHED_RR,  /* in turn */
	SCHED_WRR, /* in turn, by weight, interleaved */
	SCHED_LC,  /* fewest open flows */
	SCHED_KINDS
};

/* The name in the configuration, or NULL. */
const char *sched_name(enum sched_kind kind);
/* SCHED_KINDS if no scheduler has that name. */
enum sched_kind sched_by_name(const char *name);

#endif
