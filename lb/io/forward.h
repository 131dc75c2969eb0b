/* SPDX-License-Identifier: MIT */
/*
 * forward.h - the data path: captured frames through the engine and out
 *
 * Small frames are copied out of the capture ring and handled in batches, so
 * that memory is prefetched for all and one system call sends many; a
 * super-packet is sent at once from where it lies in the ring (libpcap takes a
 * slot back when its callback returns, so nothing can be kept there).
 */
#ifndef L4LB_FORWARD_H
#define L4LB_FORWARD_H

#include "core/engine.h"
#include "io/capture.h"
#include "io/inject.h"
#include "io/netlink.h"

struct forward;

#define FORWARD_CLAMP_OFF  0
#define FORWARD_CLAMP_AUTO UINT32_MAX

/*
 * Borrows all three; they outlive it. @mss_clamp: the largest MSS that SYNs
 * may announce, or one of the above. Off: what the next hop that the SYN goes
 * to carries, as longer answers do not arrive. Else the one back to its sender,
 * too.
 */
int forward_new(struct forward **out, struct engine *engine,
		struct inject *inject, struct netlink *netlink,
		uint32_t mss_clamp, struct err *err);
void forward_free(struct forward *f);

/*
 * Handles up to @max frames that wait in @capture, and sends what the engine
 * originated. The number of frames, or -ENETDOWN, see capture_read().
 */
int forward_read(struct forward *f, struct capture *capture, int max);

/* Runs timers; returns when to call again, see engine_tick(). */
uint64_t forward_tick(struct forward *f);

/* True if something that the engine originated found no room yet. */
bool forward_waits(const struct forward *f);

/* Fragmentation-needed errors that were not sent: too many. */
uint64_t forward_too_big_limited(const struct forward *f);

/* CLOCK_BOOTTIME in ns: the time of the whole program. */
uint64_t forward_now_ns(void);

#endif
