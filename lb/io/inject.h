/* SPDX-License-Identifier: MIT */
/*
 * inject.h - sends packets by libnet
 *
 * Packets leave by sendmmsg() on libnet's own descriptors. With a known
 * neighbour they get a link-layer header and leave on its link; otherwise, and
 * always on loopback, they leave by raw IP. Forwarded packets are gathered: the
 * payload stays where it lies. Super-packets pass whole, and the kernel cuts
 * them and completes their checksums (PACKET_VNET_HDR). What the engine
 * originates is built by libnet (design rules 3 and 4).
 */
#ifndef L4LB_INJECT_H
#define L4LB_INJECT_H

#include <stdint.h>

#include "core/drop.h"
#include "core/err.h"
#include "core/icmp.h"
#include "core/packet.h"
#include "core/segment.h"
#include "net/netlink.h"

#define INJECT_BATCH 64 /* packets queued for one descriptor */

struct inject;
struct lane;

struct inject_counters {
	uint64_t by_link, by_raw; /* packets; a super-packet counts once */
	uint64_t supers;	  /* handed to the kernel to be cut */
	uint64_t cut;		  /* cut here, in user space */
	uint64_t merged;	  /* appended to another one, see merge.h */
	uint64_t originated, originate_failed;
};

/* A segment that the engine originated and that is not sent yet. */
struct outgoing {
	struct segment seg;
	struct hop hop;
	unsigned refused;  /* number of refusals; starts at 0 */
	struct lane *lane; /* owned by inject */
};
#define INJECT_SEGMENTS_MAX 256

/* Opens the raw IP sockets. A link is opened for its first packet. */
int inject_open(struct inject **out, struct err *err);
void inject_close(struct inject *inj);

/*
 * Queues @p, which must not change before inject_flush(). May set its checksum
 * to what the way out needs. Packets to one hop keep their order.
 */
void inject_packet(struct inject *inj, struct packet *p, const struct hop *hop);
void inject_flush(struct inject *inj);

/* Takes the numbers of packets lost since the last call, by reason. */
void inject_take_lost(struct inject *inj, uint64_t lost[DROP_REASONS]);

/*
 * Builds the segments with libnet and sends them, at most INJECT_SEGMENTS_MAX.
 * Returns how many found no room now. They are then the first of @out, in
 * order; call again with them a little later. A segment refused too often is
 * dropped and counted. So is, at once, one that finds the socket for unknown
 * neighbours full.
 */
unsigned inject_segments(struct inject *inj, struct outgoing *out, unsigned n);

/* Sends an ICMP message, by raw IP. */
void inject_message(struct inject *inj, const struct icmp_message *m);

/* The link went away or came back: nothing waits for it any more. */
void inject_forget_link(struct inject *inj, int ifindex);

const struct inject_counters *inject_counters(const struct inject *inj);

#endif
