/* SPDX-License-Identifier: MIT */
/*
 * capture.h - frames from one interface, by libpcap
 *
 * Immediate mode, a ring of slots, and a kernel filter by destination, so that
 * only our own packets reach user space. Frames that this host sends are not
 * captured: ours would come back (on lo they do, as received ones; their
 * destination does not pass the filter). Nor are those that the host itself
 * would not take here: of another MAC, or with the tag of a VLAN.
 */
#ifndef L4LB_CAPTURE_H
#define L4LB_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

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

/*
 * @filter: pcap expression. @slots: frames the ring holds. @snaplen: longest
 * frame that can be delivered, see nic_snaplen().
 */
int capture_open(struct capture **out, const char *ifname, const char *filter,
		 unsigned slots, uint32_t snaplen, struct err *err);
void capture_close(struct capture *c);

/* Readable when frames wait. */
int capture_fd(const struct capture *c);

/*
 * Hands up to @max waiting frames to @fn; never blocks. The number of frames,
 * or -ENETDOWN when the interface is gone: close, and open again when it
 * returns.
 */
int capture_read(struct capture *c, int max, capture_frame_fn *fn, void *arg);

/* True if a frame was longer than @snaplen: it was lost, and more may be. */
bool capture_truncated(const struct capture *c);

const char *capture_ifname(const struct capture *c);
size_t capture_memory(const struct capture *c); /* bytes of the ring, about */

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
