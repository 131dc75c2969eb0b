/* SPDX-License-Identifier: MIT */
/*
 * inject.h - packets onto the wire, by libnet
 *
 * Forwarded packets go out by sendmmsg() on libnet's own descriptors, headers
 * gathered with the payload where it lies. With a known neighbour they get a
 * link-layer header and leave on that link; super-packets pass whole, the
 * kernel cuts them and completes checksums (PACKET_VNET_HDR). Otherwise, and
 * always for loopback, by raw IP. What the engine originates is built and
 * written with libnet (design rules 3 and 4).
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

struct inject_counters {
	uint64_t by_link, by_raw; /* packets, super-packets once */
	uint64_t supers;	  /* handed to the kernel to be cut */
	uint64_t cut;		  /* cut here, in user space */
	uint64_t merged;	  /* added to the one before, see merge.h */
	uint64_t originated, originate_failed;
};

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

/* Builds one originated segment with libnet and writes it, by raw IP. */
void inject_segment(struct inject *inj, const struct segment *seg);

/* Sends an ICMP message, by raw IP. */
void inject_message(struct inject *inj, const struct icmp_message *m);

/* The link went away or came back: its descriptor is opened anew. */
void inject_forget_link(struct inject *inj, int ifindex);

const struct inject_counters *inject_counters(const struct inject *inj);

#endif
