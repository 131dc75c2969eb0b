/* SPDX-License-Identifier: MIT */
/*
 * inject.h - packets onto the wire, by libnet
 *
 * Packets go out by sendmmsg() on libnet's own descriptors. With a known
 * neighbour they get a link-layer header and leave on that link, otherwise, and
 * always for loopback, by raw IP. Forwarded ones are gathered, headers with the
 * payload where it lies; super-packets pass whole, the kernel cuts them and
 * completes checksums (PACKET_VNET_HDR). What the engine originates is built
 * with libnet (design rules 3 and 4).
 */
#ifndef L4LB_INJECT_H
#define L4LB_INJECT_H

#include <stdint.h>

#include "core/drop.h"
#include "core/engine.h"
#include "core/err.h"
#include "core/icmp.h"
#include "core/packet.h"
#include "io/netlink.h"

#define INJECT_BATCH 64 /* packets queued for one descriptor */

struct inject;
struct lane;

struct inject_counters {
	uint64_t by_link, by_raw; /* packets, super-packets once */
	uint64_t supers;	  /* handed to the kernel to be cut */
	uint64_t cut;		  /* cut here, in user space */
	uint64_t merged;	  /* added to the one before, see merge.h */
	uint64_t originated, originate_failed;
};

/* A segment that the engine originated, on its way out. */
struct outgoing {
	struct segment seg;
	struct hop hop;
	unsigned refused;  /* times, so far: begins at 0 */
	struct lane *lane; /* of inject's */
};
#define INJECT_SEGMENTS_MAX 256

/* Opens the raw IP side; a link is opened at its first packet. */
int inject_open(struct inject **out, struct err *err);
void inject_close(struct inject *inj);

/*
 * Queues @p, which must stay as it is until inject_flush(). May change its
 * checksum to what the way out needs. Packets to one hop keep their order.
 */
void inject_packet(struct inject *inj, struct packet *p, const struct hop *hop);
void inject_flush(struct inject *inj);

/* Packets lost since the last call, by reason; resets the counts. */
void inject_take_lost(struct inject *inj, uint64_t lost[DROP_REASONS]);

/*
 * Builds the segments with libnet and sends them, at most INJECT_SEGMENTS_MAX.
 * Returns how many there was no room for just now: they are the first of @out
 * then, in their order, and to be given again a little later. What is refused
 * too often is thrown away and counted, and at once what would only wait for
 * a neighbour that is not there.
 */
unsigned inject_segments(struct inject *inj, struct outgoing *out, unsigned n);

/* Sends an ICMP message, by raw IP. */
void inject_message(struct inject *inj, const struct icmp_message *m);

/* The link went away or came back: its descriptor is opened anew. */
void inject_forget_link(struct inject *inj, int ifindex);

const struct inject_counters *inject_counters(const struct inject *inj);

#endif
