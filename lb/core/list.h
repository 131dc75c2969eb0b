/* SPDX-License-Identifier: MIT */
/*
 * list.h - doubly linked lists of items that have an index
 *
 * One array of nodes holds many lists: nodes [0, items) belong to the items,
 * the ones after them are the heads. An item is in at most one list of the
 * array. Lists are circular, so that removing an item needs no head.
 */
#ifndef L4LB_LIST_H
#define L4LB_LIST_H

#include <stdbool.h>
#include <stdint.h>

struct list_node {
	uint32_t next, prev; /* itself: in no list, or an empty head */
};

static inline void list_init(struct list_node *nodes, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		nodes[i].next = nodes[i].prev = i;
}

static inline bool list_linked(const struct list_node *nodes, uint32_t i)
{
	return nodes[i].next != i;
}

static inline void list_remove(struct list_node *nodes, uint32_t i)
{
	nodes[nodes[i].prev].next = nodes[i].next;
	nodes[nodes[i].next].prev = nodes[i].prev;
	nodes[i].next = nodes[i].prev = i;
}

/* Appends @i, which must be in no list, to the list at @head. */
static inline void list_append(struct list_node *nodes, uint32_t head,
			       uint32_t i)
{
	uint32_t last = nodes[head].prev;

	nodes[i].prev = last;
	nodes[i].next = head;
	nodes[last].next = i;
	nodes[head].prev = i;
}

#endif
