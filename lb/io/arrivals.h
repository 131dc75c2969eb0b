/* SPDX-License-Identifier: MIT */
/*
 * arrivals.h - what came in by which interface, and when last
 *
 * One capture hears all interfaces, so this is where they are told apart: for
 * the counters, and for whoever wants to know whether a link is alive. Only
 * interfaces that brought something have a place. Should there be more of them
 * than places, the one that was silent longest gives up its own: containers'
 * interfaces come and go for ever.
 *
 * Pure; the caller says what time it is.
 */
#ifndef L4LB_ARRIVALS_H
#define L4LB_ARRIVALS_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#define ARRIVALS_MAX   256
#define ARRIVALS_KINDS 2 /* of captures: the caller numbers them */
#define ARRIVALS_HINTS 64

struct arrival {
	int ifindex;
	char name[IF_NAMESIZE]; /* the caller's to fill in; "": not yet */
	uint64_t frames[ARRIVALS_KINDS];
	uint64_t heard_ns; /* the last one */
	bool down;	   /* the caller's */
};

struct arrivals {
	uint64_t now_ns; /* the caller sets it before it reads frames */
	bool fresh; /* there is one without a name: the caller sets it back */
	unsigned n;
	uint8_t hint[ARRIVALS_HINTS]; /* where an ifindex was found last */
	struct arrival at[ARRIVALS_MAX];
};

/* NULL: nothing came by it, or it is forgotten. */
struct arrival *arrivals_find(struct arrivals *a, int ifindex);

/* A frame came in by @ifindex, in a capture of that kind. */
void arrivals_note(struct arrivals *a, int ifindex, unsigned kind);

/* @ifindex is @before made anew: what is known of that counts for this one. */
void arrivals_inherit(struct arrivals *a, int ifindex, struct arrival *before);

/* When the last one came by it; 0: none did. */
uint64_t arrivals_heard_ns(const struct arrivals *a, int ifindex);

#endif
