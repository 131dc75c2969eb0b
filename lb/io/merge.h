/* SPDX-License-Identifier: MIT */
/*
 * merge.h - segments of one batch that follow each other leave as one
 *
 * What GRO does where the interface does it, done here where it does not: the
 * kernel is handed one super-packet instead of many packets, and cuts it into
 * exactly the segments that came in (same size, same order, same headers but
 * for sequence and PSH). Only segments that say nothing else are merged: plain
 * data of one direction of one flow, with equal ACK, window and options.
 */
#ifndef L4LB_MERGE_H
#define L4LB_MERGE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/packet.h"

#define MERGE_MAX 44 /* segments; 44 * 1448 bytes fit one IPv4 packet */

/* What a packet that waits to be sent has become. */
struct merge {
	struct packet *first;
	bool open; /* more may be added */
	uint32_t next_seq;
	uint32_t size; /* payload bytes of all but the last segment */
	unsigned segments;
};

/* Begins with @p; @size is the most payload a segment of it may have. */
void merge_start(struct merge *m, struct packet *p, uint32_t size);

/* True if both belong to the same direction of the same flow. */
bool merge_same_flow(const struct packet *a, const struct packet *b);

/*
 * Adds @p behind what there is, if it may be: then only its payload is still
 * needed, and @m->first stands for all.
 */
bool merge_add(struct merge *m, const struct packet *p);

/*
 * Mends the header of @m->first, whose checksum is partial then: to be called
 * once, when nothing more will be added, if there are several segments.
 */
void merge_finish(struct merge *m);

#endif
