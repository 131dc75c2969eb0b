/* SPDX-License-Identifier: MIT */
/*
 * taps.h - the captures on all interfaces that carry our packets
 *
 * Which interfaces those are follows the routes: taps_refresh() opens what is
 * missing at the start and whenever links, addresses or routes changed. An
 * interface that goes away keeps its place and is opened anew when it returns,
 * unless one that is wanted now had no other place: names may come and go for
 * ever, as those of Docker's bridges do.
 *
 * Each has two rings. One is for clients' SYNs alone, read last and little at
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
#include "io/capture.h"
#include "io/forward.h"
#include "io/inject.h"
#include "io/netlink.h"
#include "setup.h"

enum tap_ring { TAP_FLOWS, TAP_SYNS, TAP_RINGS };

struct tap {
	char ifname[IF_NAMESIZE];
	struct capture *capture[TAP_RINGS]; /* NULL while it is away */
	int ifindex;
	bool lro_was_on;
	bool long_frames; /* longer than super-packets usually are */
	bool stays_short; /* there was no memory for slots that take these */
	uint32_t snaplen; /* of TAP_FLOWS */
	uint64_t drops_told[TAP_RINGS];
	struct capture_stats judged[TAP_RINGS]; /* last told the engine */
};

/* Down to @filter they are borrowed and outlive it. */
struct taps {
	const struct setup *setup;
	struct netlink *netlink;
	struct inject *inject;
	struct forward *forward;
	struct engine *engine;
	const char *filter[TAP_RINGS]; /* pcap expressions */
	bool incomplete;	       /* one could not be opened: try again */
	bool too_many_told;	       /* there are more than have a place */
	uint64_t looked_ns;	       /* at drops, last */
	unsigned n;
	struct tap tap[SETUP_INTERFACES_MAX];
};
#define TAPS_FDS (SETUP_INTERFACES_MAX * TAP_RINGS)

/*
 * @strict: the start, where an interface that cannot be captured on is an
 * error; later it is logged and tried again at the next change.
 */
int taps_refresh(struct taps *t, bool strict, struct err *err);

/* Closes all, and restores what was changed at the interfaces. */
void taps_close(struct taps *t);

/* The interface went away or came back. */
void taps_link_changed(struct taps *t, const char *ifname, bool up);

/* One pollfd for each ring, into @fds; returns how many. */
unsigned taps_poll(const struct taps *t, struct pollfd fds[TAPS_FDS]);

/*
 * Forwards what waits, a bounded number of frames of each ring. Returns how
 * many there were; sets *lost if a capture was closed and should be refreshed.
 * Tells the engine what it can know: @before_ns, before the poll(), if all
 * that came until then was read; and how many frames were lost.
 */
unsigned taps_read(struct taps *t, const struct pollfd *fds, uint64_t before_ns,
		   bool *lost);

/* Logs ring drops since the last call. */
void taps_tell_drops(struct taps *t);

/* Logs what each has received. */
void taps_tell_counters(const struct taps *t);

#endif
