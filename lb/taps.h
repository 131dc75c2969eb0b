/* SPDX-License-Identifier: MIT */
/*
 * taps.h - the captures: all packets of ours, by whatever interface they come
 *
 * What the guard takes from the kernel is what must come here, so they hear
 * all interfaces there are and will be, or those that the user named; then the
 * guard is narrowed to the same ones (struct guard_spec .interfaces). They stay
 * open from the start to the end; an interface that comes, goes or gets another
 * name is no matter, except to one that was named.
 *
 * There are two rings. One is for clients' SYNs alone, read last and little at
 * a time: when more come than can be carried, as in a flood, it overflows, and
 * what is lost are SYNs. Connections, and the answers of backends by which they
 * are judged, have the other one to themselves.
 */
#ifndef L4LB_TAPS_H
#define L4LB_TAPS_H

#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"
#include "io/arrivals.h"
#include "io/capture.h"
#include "io/forward.h"
#include "io/guard_watch.h"
#include "io/inject.h"
#include "io/netlink.h"
#include "io/nic.h"
#include "setup.h"

enum tap_ring { TAP_FLOWS, TAP_SYNS, TAP_RINGS };
#define TAPS_FDS TAP_RINGS

/*
 * What a slot holds. A ring's blocks are powers of two: one for the longest
 * packet there can be takes 128 KiB. Super-packets that TCP and GRO make end
 * well below 64 KiB, so a slot of that size carries them in half the memory.
 * Where nothing makes any, a slot is as long as what the wires carry. Should a
 * longer packet come, the ring is opened anew with longer slots.
 */
enum tap_slots { SLOTS_WIRE, SLOTS_SUPER, SLOTS_LONGEST };

/* An interface that the user named, and what it is called now. */
struct tap_named {
	char now[IF_NAMESIZE];
	int ifindex;	 /* 0: there is none of that name */
	int told_master; /* of which it was said to be a port */
	bool missing;	 /* which was said */
};

/* Down to @filter they are borrowed and outlive it. */
struct taps {
	const struct setup *setup;
	struct netlink *netlink;
	struct inject *inject;
	struct forward *forward;
	struct engine *engine;
	const char *filter[TAP_RINGS]; /* pcap expressions */
	struct guard_watch *guard;     /* NULL: none of ours, or not yet */

	struct capture *capture[TAP_RINGS]; /* NULL: none for now */
	unsigned slots[TAP_RINGS];
	uint32_t snaplen[TAP_RINGS];
	enum tap_slots wants, has; /* of TAP_FLOWS */
	enum tap_slots had;	   /* when it was open last */
	enum tap_slots most;	   /* there was no memory for longer ones */
	uint32_t wire_mtu;	   /* the largest of those that carry us */
	uint64_t machine_memory;   /* bytes */
	uint64_t drops_told[TAP_RINGS];
	struct capture_stats judged[TAP_RINGS]; /* last told the engine */
	uint64_t looked_ns;			/* at drops, last */

	struct arrivals arrivals;
	struct nic_lro lro;

	/* As in the configuration; their names then and now, for the guard. */
	struct tap_named named[CONFIG_INTERFACES_MAX];
	struct tap_links links;
	char guarded[2 * CONFIG_INTERFACES_MAX][IF_NAMESIZE];
	unsigned n_guarded;
};

/*
 * What the guard is to be narrowed to is known from here on. Refuses interfaces
 * that cannot be served; those that are not there yet are waited for.
 */
int taps_name(struct taps *t, struct err *err);

int taps_open(struct taps *t, struct err *err);

/* Closes all, and restores what was changed at the interfaces. */
void taps_close(struct taps *t);

/*
 * After every change of links, and once a second: follows who was named, and
 * opens anew what could not be opened.
 */
void taps_refresh(struct taps *t);

/* Another expression for what is no SYN; borrowed as those before. */
void taps_set_filter(struct taps *t, const char *flows);

/* The interface went away or came back. */
void taps_link_changed(struct taps *t, const struct link *link, bool up);

/* One pollfd for each ring. */
unsigned taps_poll(const struct taps *t, struct pollfd fds[TAPS_FDS]);

/*
 * Forwards what waits, a bounded number of frames of each ring. Returns how
 * many there were. Tells the engine what it can know: @before_ns, before the
 * poll(), if all that came until then was read; and how many were lost.
 */
unsigned taps_read(struct taps *t, const struct pollfd *fds,
		   uint64_t before_ns);

/* Frames that came to the rings, or found no room there. */
uint64_t taps_captured(const struct taps *t);

/* When something for us last came by it; 0: never. */
uint64_t taps_heard_ns(const struct taps *t, int ifindex);

/* Logs ring drops since the last call. */
void taps_tell_drops(struct taps *t);

/* Logs what has come by each interface, and what the rings had no room for. */
void taps_tell_counters(struct taps *t);

#endif
