/* SPDX-License-Identifier: MIT */
/*
 * capture.h - IPv4 packets from all interfaces, by libpcap
 *
 * One packet socket, bound to no interface and to the protocol IPv4. The kernel
 * hands it each packet at the moment, and on the interface, where it hands the
 * packet to its own IP layer (design rule 12). So the socket hears interfaces
 * of every link type, also those that come up later. A frame that passes
 * several interfaces (port and bridge, member and bond, parent and macvlan)
 * comes once, by the last of them. Packets that this host sends never come.
 *
 * Immediate mode, a ring of slots, and a kernel filter by destination: only
 * packets for us reach user space.
 */
#ifndef L4LB_CAPTURE_H
#define L4LB_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "io/arrivals.h"
#include "io/tap_match.h"

#define CAPTURE_SLOT_HEADER                               \
	128 /* bytes before the packet in a slot, at most \
	     */

struct capture;

/*
 * @ip: the IP packet, valid during the call. @len: bytes captured from there.
 * @ifindex: the interface by which the packet came in.
 */
typedef void capture_frame_fn(void *arg, const uint8_t *ip, uint32_t len,
			      int ifindex);

struct capture_stats {
	uint64_t received; /* passed the filter */
	uint64_t dropped;  /* of those, lost because the ring was full */
};

struct capture_spec {
	struct tap_match match;
	enum tap_ring ring; /* which part of it; and its counter in: */
	struct arrivals *arrivals;
	unsigned slots;	  /* frames the ring holds */
	uint32_t snaplen; /* longest IP packet that can be delivered */
};

/* Copies @spec and borrows what it points to. */
int capture_open(struct capture **out, const struct capture_spec *spec,
		 const struct tap_links *links, struct err *err);
void capture_close(struct capture *c);

/*
 * Replaces the set of interfaces, at once: no packet is lost, and none is
 * delivered any more from an interface outside @links.
 */
void capture_set_links(struct capture *c, const struct tap_links *links);

/*
 * Replaces what is captured, at once: no packet of both is lost, and none that
 * waits is delivered if @m does not have it. Borrows what @m points to, until
 * the next call. -ENOMEM: everything stays as it was.
 */
int capture_set_match(struct capture *c, const struct tap_match *m,
		      struct err *err);

/* Readable when frames wait. */
int capture_fd(const struct capture *c);

/*
 * Hands up to @max waiting frames to @fn; never blocks. Returns the number of
 * frames, or -EIO when no more will come: close the capture and open a new one.
 */
int capture_read(struct capture *c, int max, capture_frame_fn *fn, void *arg);

/* True if a packet was longer than a slot: it was lost, and others may be. */
bool capture_truncated(const struct capture *c);

/* Approximate memory in bytes, of a slot and of a ring of @slots slots. */
size_t capture_slot(uint32_t snaplen);
size_t capture_memory(unsigned slots, uint32_t snaplen);

/*
 * libpcap's counters have 32 bits, which overflow within hours to a day: call
 * this before 2^32 more frames have come.
 */
void capture_get_stats(struct capture *c, struct capture_stats *out);

/*
 * Extends a 32-bit counter: returns @total, advanced until its lower 32 bits
 * equal @counter.
 */
static inline uint64_t capture_widen(uint64_t total, uint32_t counter)
{
	return total + (uint32_t)(counter - (uint32_t)total);
}

#endif
