/* SPDX-License-Identifier: MIT */
/*
 * queue.h - packets that wait for one lane, and leave by one sendmmsg()
 *
 * Payloads stay where they lie. Where the lane has a virtio_net_hdr,
 * consecutive segments of a flow leave as one (merge.h), and the kernel cuts
 * super-packets and completes checksums.
 */
#ifndef L4LB_QUEUE_H
#define L4LB_QUEUE_H

#include <linux/virtio_net.h>
#include <stdint.h>
#include <sys/socket.h>

#include "core/packet.h"
#include "io/inject.h"
#include "io/lane.h"
#include "io/merge.h"
#include "net/netlink.h"

#define QUEUE_IOV_MAX (3 + MERGE_MAX)

struct queue {
	struct lane lane;
	struct inject_counters *counters; /* borrowed, as is @lost */
	uint64_t *lost;			  /* by reason */
	unsigned used;
	struct mmsghdr msgs[INJECT_BATCH];
	struct iovec iov[INJECT_BATCH][QUEUE_IOV_MAX];
	struct merge merge[INJECT_BATCH]; /* only for a link with vnet */
	struct virtio_net_hdr vnet_hdr[INJECT_BATCH];
	uint8_t eth[INJECT_BATCH][ETH_HEADER_LEN];
	struct raw_address address[INJECT_BATCH];
};

/*
 * Queue one packet, which must not change before queue_send(); a full queue is
 * sent first. The latter two need a lane with vnet. A super-packet is cut by
 * the kernel into segments of @size bytes of payload. queue_merge() appends the
 * packet to a queued one that it continues, if there is one; @size: the largest
 * payload of a segment.
 */
void queue_add(struct queue *q, struct packet *p, const struct hop *hop);
void queue_add_super(struct queue *q, struct packet *p, const struct hop *hop,
		     uint32_t size);
void queue_merge(struct queue *q, struct packet *p, const struct hop *hop,
		 uint32_t size);

/* Sends the whole queue; counts packets that fail and continues. */
void queue_send(struct queue *q);

#endif
