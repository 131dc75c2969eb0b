/* SPDX-License-Identifier: MIT */
/*
 * capture.h - IPv4 packets from all interfaces, by libpcap
 *
 * One packet socket that is bound to no interface and to one protocol, IPv4:
 * the kernel hands it a packet at the moment, and on the interface, where it
 * hands it to its own IP (design rule 12). So it hears all interfaces, also one
 * that comes up later, whatever their link type; a frame that passes several
 * (port and bridge, member and bond, parent and macvlan) comes once, by the
 * last; and what this host sends never comes.
 *
 * Immediate mode, a ring of slots, and a kernel filter by destination, so that
 * only our own packets reach user space.
 */
#ifndef L4LB_CAPTURE_H
#define L4LB_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "io/arrivals.h"
#include "io/tap_filter.h"

#define CAPTURE_SLOT_HEADER                               \
	128 /* bytes before the packet in a slot, at most \
	     */

struct capture;

/*
 * @ip: the IP packet, valid during the call; @len: captured bytes from there;
 * @ifindex: the interface it came in by.
 */
typedef void capture_frame_fn(void *arg, const uint8_t *ip, uint32_t len,
			      int ifindex);

struct capture_stats {
	uint64_t received; /* passed the filter */
	uint64_t dropped;  /* of those, found the ring full */
};

struct capture_spec {
	const char *filter; /* pcap expression */
	unsigned slots;	    /* frames the ring holds */
	uint32_t snaplen;   /* longest IP packet that can be delivered */
	unsigned kind;	    /* under which it is counted in: */
	struct arrivals *arrivals;
};

/* @spec is copied, what it points to is borrowed. */
int capture_open(struct capture **out, const struct capture_spec *spec,
		 const struct tap_links *links, struct err *err);
void capture_close(struct capture *c);

/*
 * Other interfaces count from now on. At once: nothing is lost, and nothing
 * of those that do not is delivered any more.
 */
void capture_set_links(struct capture *c, const struct tap_links *links);

/*
 * Another filter from now on; borrowed. The ring stays, with what is in it. On
 * an error: close it.
 */
int capture_set_filter(struct capture *c, const char *filter, struct err *err);

/* Readable when frames wait. */
int capture_fd(const struct capture *c);

/*
 * Hands up to @max waiting frames to @fn; never blocks. The number of frames,
 * or -EIO when there will be no more: close, and open again.
 */
int capture_read(struct capture *c, int max, capture_frame_fn *fn, void *arg);

/* True if a packet was longer than a slot: it was lost, and more may be. */
bool capture_truncated(const struct capture *c);

/* Bytes that a slot takes, and a ring of so many, about. */
size_t capture_slot(uint32_t snaplen);
size_t capture_memory(unsigned slots, uint32_t snaplen);

/*
 * libpcap counts in 32 bits, which an hour or a day overflows: to be called
 * before 2^32 more frames have come.
 */
void capture_get_stats(struct capture *c, struct capture_stats *out);

/* @total, and what @counter, its lower 32 bits then, has grown by since. */
static inline uint64_t capture_widen(uint64_t total, uint32_t counter)
{
	return total + (uint32_t)(counter - (uint32_t)total);
}

#endif
