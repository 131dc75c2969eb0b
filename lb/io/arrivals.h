/* SPDX-License-Identifier: MIT */
/*
 * arrivals.h - frames per interface, and when the last one came
 *
 * One capture hears all interfaces. This table tells them apart, for the
 * counters and for the question whether a link is alive. Only an interface that
 * brought a frame has a place. When the table is full, the interface that has
 * been silent longest loses its place, because container interfaces are created
 * and deleted without end.
 *
 * Pure: the caller passes the time.
 */
#ifndef L4LB_ARRIVALS_H
#define L4LB_ARRIVALS_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#define ARRIVALS_MAX   256
#define ARRIVALS_KINDS 2 /* kinds of captures; the caller numbers them */
#define ARRIVALS_HINTS 64

struct arrival {
	int ifindex;
	char name[IF_NAMESIZE]; /* filled in by the caller; "": not yet */
	uint64_t frames[ARRIVALS_KINDS];
	uint64_t heard_ns; /* time of the last frame */
	bool down;	   /* owned by the caller */
};

struct arrivals {
	uint64_t now_ns; /* the caller sets it before it reads frames */
	bool fresh;	 /* an entry has no name yet; the caller clears it */
	unsigned n;
	uint8_t hint[ARRIVALS_HINTS]; /* index of the last match */
	struct arrival at[ARRIVALS_MAX];
};

/* Returns NULL if no frame came by @ifindex, or if its place was reused. */
struct arrival *arrivals_find(struct arrivals *a, int ifindex);

/* Counts a frame that came by @ifindex in a capture of @kind. */
void arrivals_note(struct arrivals *a, int ifindex, unsigned kind);

/* @before was deleted and created anew as @ifindex, which gets its record. */
void arrivals_inherit(struct arrivals *a, int ifindex, struct arrival *before);

/* Time of the last frame by @ifindex; 0: none came. */
uint64_t arrivals_heard_ns(const struct arrivals *a, int ifindex);

#endif
