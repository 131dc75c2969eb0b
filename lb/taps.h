/* SPDX-License-Identifier: MIT */
/*
 * taps.h - the captures of all packets for us, by any interface
 *
 * Everything that the guard takes from the kernel must arrive here. So the
 * captures hear all interfaces, present and future, or those that the user
 * named (interfaces.h). They stay open from start to end. An interface that
 * comes, goes or is renamed makes no difference unless it was named.
 *
 * There are two rings (tap_match.h). One holds only clients' SYNs; it is read
 * last and a little at a time. When more SYNs come than can be handled, as in a
 * flood, this ring overflows, and only SYNs are lost. Connections, and the
 * answers by which backends are judged, have the other ring to themselves.
 */
#ifndef L4LB_TAPS_H
#define L4LB_TAPS_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"
#include "interfaces.h"
#include "io/arrivals.h"
#include "io/capture.h"
#include "io/forward.h"
#include "io/inject.h"
#include "net/netlink.h"
#include "io/nic.h"

#define TAPS_FDS TAP_RINGS

/*
 * The length of a slot. Blocks of a ring are powers of two: a block for the
 * longest possible packet takes 128 KiB. Super-packets made by TCP and GRO end
 * well below 64 KiB, so a slot of that size takes half the memory. Where no
 * super-packets come, a slot is as long as the MTU of the wires. If a longer
 * packet comes, the ring is reopened with longer slots.
 */
enum tap_slots { SLOTS_WIRE, SLOTS_SUPER, SLOTS_LONGEST };

/* The first pointers are borrowed and must outlive it. */
struct taps {
	const struct interfaces *interfaces;
	struct netlink *netlink;
	struct inject *inject;
	struct forward *forward;
	struct engine *engine;

	struct tap_match match; /* a copy */

	struct capture *capture[TAP_RINGS]; /* NULL: closed for now */
	unsigned slots[TAP_RINGS];
	uint32_t snaplen[TAP_RINGS];
	enum tap_slots wants, has; /* of TAP_FLOWS */
	enum tap_slots had;	   /* the value when it was last open */
	enum tap_slots most;	   /* longer slots found no memory */
	uint32_t wire_mtu;	   /* the largest of the links in use */
	uint64_t machine_memory;   /* bytes */
	uint64_t drops_told[TAP_RINGS];
	struct capture_stats judged[TAP_RINGS]; /* last passed to the engine */
	struct capture_stats closed[TAP_RINGS]; /* of rings that are closed */
	uint64_t looked_ns;			/* last look at the drops */

	struct arrivals arrivals;
	struct nic_lro lro;
};

/*
 * Set the borrowed pointers before. Copies @m. @local_backend: a backend is on
 * this host. On an error nothing is left open.
 */
int taps_open(struct taps *t, const struct tap_match *m, bool local_backend,
	      struct err *err);

/* Closes all captures, and restores the interfaces' settings. */
void taps_close(struct taps *t);

/*
 * Call it after every change of links and once a second, after
 * interfaces_follow(). Tries again what could not be opened.
 */
void taps_refresh(struct taps *t);

/*
 * Replaces what is captured by a copy of @m, in microseconds: the rings stay
 * open, and no packet is lost that both have. -ENOMEM: everything stays as it
 * was.
 */
int taps_set_match(struct taps *t, const struct tap_match *m, struct err *err);

/* The interface went away or came back. */
void taps_link_changed(struct taps *t, const struct link *link, bool up);

/* Fills one pollfd for each ring. */
unsigned taps_poll(const struct taps *t, struct pollfd fds[TAPS_FDS]);

/*
 * Forwards waiting frames, a bounded number of each ring. Returns how many
 * there were. Reports to the engine up to what time everything was read
 * (@before_ns, taken before the poll(), if the rings were emptied), and how
 * many frames were lost.
 */
unsigned taps_read(struct taps *t, const struct pollfd *fds,
		   uint64_t before_ns);

/* Frames that the kernel had for the rings, including those without room. */
uint64_t taps_captured(const struct taps *t);

/*
 * What a ring has had since the start, as of its last look at the kernel's
 * counters: no system call.
 */
void taps_stats(const struct taps *t, enum tap_ring ring,
		struct capture_stats *out);

/* When @ifindex last brought a packet for us; 0: never. */
uint64_t taps_heard_ns(const struct taps *t, int ifindex);

/* Logs ring drops since the last call. */
void taps_tell_drops(struct taps *t);

/* Logs the counts per interface and of ring drops. */
void taps_tell_counters(struct taps *t);

#endif
