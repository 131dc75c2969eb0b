/* SPDX-License-Identifier: MIT */
/* Nodes of a Redis Cluster as an operator writes them. Pure. */
#ifndef CHAT_NODES_H
#define CHAT_NODES_H

#include "core/slot.h"

#define NODES_MAX     16
#define NODES_WHY_MAX 200

/*
 * "HOST:PORT,HOST:PORT", with "[IPV6]:PORT", or a JSON array of objects
 * {"host": TEXT, "port": NUMBER}, as REDIS_NODES has it. A port may be left out
 * (6379), in JSON it may be text. Returns the number of nodes, 0 with a
 * sentence in why.
 */
unsigned nodes_parse(struct slice text, struct slot_node out[NODES_MAX],
		     char why[NODES_WHY_MAX]);

#endif
