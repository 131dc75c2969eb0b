/* SPDX-License-Identifier: MIT */
/*
 * taps.h - the captures on all interfaces that carry our packets
 *
 * Which interfaces those are follows the routes: taps_refresh() opens what is
 * missing at the start and whenever links, addresses or routes changed. An
 * interface that goes away keeps its place and is opened anew when it returns.
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

struct tap {
	char ifname[IF_NAMESIZE];
	struct capture *capture; /* NULL while the interface is away */
	int ifindex;
	bool lro_was_on;
	bool long_frames; /* longer than super-packets usually are */
	uint64_t drops_told;
};

/* The first five are borrowed and outlive it. */
struct taps {
	const struct setup *setup;
	struct netlink *netlink;
	struct inject *inject;
	struct forward *forward;
	const char *filter; /* pcap expression */
	unsigned n;
	struct tap tap[SETUP_INTERFACES_MAX];
};

/*
 * @strict: the start, where an interface that cannot be captured on is an
 * error; later it is logged and tried again at the next change.
 */
int taps_refresh(struct taps *t, bool strict, struct err *err);

/* Closes all, and restores what was changed at the interfaces. */
void taps_close(struct taps *t);

/* The interface went away or came back. */
void taps_link_changed(struct taps *t, const char *ifname, bool up);

/* One pollfd for each, into @fds; returns how many. */
unsigned taps_poll(const struct taps *t,
		   struct pollfd fds[SETUP_INTERFACES_MAX]);

/*
 * Forwards what waits, at most @max frames of each. Returns how many frames
 * there were; sets *lost if a capture was closed and should be refreshed.
 */
unsigned taps_read(struct taps *t, const struct pollfd *fds, int max,
		   bool *lost);

/* Logs ring drops since the last call. */
void taps_tell_drops(struct taps *t);

/* Logs what each has received. */
void taps_tell_counters(const struct taps *t);

#endif
