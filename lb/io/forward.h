/* SPDX-License-Identifier: MIT */
/*
 * forward.h - the data path: from the captures through the engine to the wire
 *
 * Small frames are copied out of the capture ring and handled in batches, so
 * that memory is prefetched for all of them and one system call sends many. A
 * super-packet is sent directly from the ring: libpcap takes a slot back when
 * its callback returns, so nothing can be kept there.
 */
#ifndef L4LB_FORWARD_H
#define L4LB_FORWARD_H

#include "core/engine.h"
#include "io/capture.h"
#include "io/inject.h"
#include "net/netlink.h"

struct forward;

#define FORWARD_CLAMP_OFF  0
#define FORWARD_CLAMP_AUTO UINT32_MAX

/*
 * Borrows all three; they must outlive it. @mss_clamp: the largest MSS that
 * SYNs may announce, or one of the constants above. FORWARD_CLAMP_OFF limits
 * the MSS only by the MTU of the next hop, since longer answers would not
 * arrive. All other values limit it by the MTU of the hop back to the sender as
 * well.
 */
int forward_new(struct forward **out, struct engine *engine,
		struct inject *inject, struct netlink *netlink,
		uint32_t mss_clamp, struct err *err);
void forward_free(struct forward *f);

/* Another @mss_clamp, for SYNs from now on. */
void forward_set_clamp(struct forward *f, uint32_t mss_clamp);

/*
 * Handles up to @max frames that wait in @capture, and sends what the engine
 * originated. Returns the number of frames, or -EIO as capture_read() does.
 */
int forward_read(struct forward *f, struct capture *capture, int max);

/* Runs timers; returns when to call again, see engine_tick(). */
uint64_t forward_tick(struct forward *f);

/* True if an originated segment still waits for room. */
bool forward_waits(const struct forward *f);

/* Fragmentation-needed errors that the rate limit suppressed. */
uint64_t forward_too_big_limited(const struct forward *f);

#endif
