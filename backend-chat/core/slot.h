/* SPDX-License-Identifier: MIT */
/*
 * Which node of a Redis Cluster holds a key: CRC16 with the rule of the tag
 * ("{tag}" alone is hashed), and the map that CLUSTER SLOTS gives. Pure.
 */
#ifndef CHAT_SLOT_H
#define CHAT_SLOT_H

#include "core/slice.h"

#include <stdint.h>

#define SLOTS	      16384
#define SLOT_NODES    64 /* masters; more are refused */
#define SLOT_HOST_MAX 256

unsigned slot_of(struct slice key);

struct slot_node {
	char host[SLOT_HOST_MAX];
	uint16_t port;
};

struct slotmap {
	struct slot_node nodes[SLOT_NODES];
	unsigned count;
	uint8_t node_of[SLOTS]; /* an index of nodes[], or SLOT_UNKNOWN */
};

#define SLOT_UNKNOWN 255

void slotmap_init(struct slotmap *m); /* every slot unknown */

/*
 * One entry of CLUSTER SLOTS. An empty host is the one that was asked: asked.
 * Returns false for a range or a node that cannot be.
 */
bool slotmap_add(struct slotmap *m, unsigned first, unsigned last,
		 struct slice host, unsigned port, struct slice asked);

/*
 * The answer to MOVED: one slot. Returns the node's index or -1: too many
 * nodes, no port, or a host that is empty or too long.
 */
int slotmap_move(struct slotmap *m, unsigned slot, struct slice host,
		 unsigned port);

/* The node's index, or -1 if unknown. */
int slotmap_find(const struct slotmap *m, struct slice key);

/* True if every slot has a node. */
bool slotmap_is_complete(const struct slotmap *m);

#endif
