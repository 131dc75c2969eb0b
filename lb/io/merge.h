/* SPDX-License-Identifier: MIT */
/*
 * merge.h - sends consecutive segments of one batch as one packet
 *
 * Does what GRO does, where the interface does not do it. The kernel gets one
 * super-packet instead of many packets, and cuts it into exactly the segments
 * that came in: same size, same order, same headers except for sequence number
 * and PSH. Only plain data of one direction of one flow is merged, with equal
 * ACK, window and options.
 */
#ifndef L4LB_MERGE_H
#define L4LB_MERGE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/packet.h"

#define MERGE_MAX 44 /* segments; 44 * 1448 bytes fit one IPv4 packet */

/* A queued packet, with the segments appended to it. */
struct merge {
	struct packet *first;
	bool open; /* more segments may be added */
	uint32_t next_seq;
	uint32_t size; /* payload bytes of all but the last segment */
	unsigned segments;
};

/* Starts with @p; @size: the largest payload of a segment, in bytes. */
void merge_start(struct merge *m, struct packet *p, uint32_t size);

/* True if both belong to the same direction of the same flow. */
bool merge_same_flow(const struct packet *a, const struct packet *b);

/*
 * Appends @p if it fits. Then only the payload of @p is still needed, and
 * @m->first stands for all.
 */
bool merge_add(struct merge *m, const struct packet *p);

/*
 * Updates the header of @m->first; its checksum is partial then. Call once,
 * after the last addition, if there are several segments.
 */
void merge_finish(struct merge *m);

#endif
