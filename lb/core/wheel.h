/* SPDX-License-Identifier: MIT */
/*
 * wheel.h - timer wheel for flows: set, move and expire in O(1)
 *
 * A ring of slots, each a list of the items due in that tick. A timer beyond
 * the ring waits in the last slot and is set again from there. So when an item
 * is taken, the caller must compare its real deadline. This also lets a packet
 * postpone a timer without touching the wheel.
 */
#ifndef L4LB_WHEEL_H
#define L4LB_WHEEL_H

#include <stddef.h>
#include <stdint.h>

#include "core/list.h"

#define WHEEL_TICK_SHIFT 26   /* a tick is 2^26 ns, 67 ms */
#define WHEEL_SLOTS	 4096 /* the ring spans 275 s */
#define WHEEL_NONE	 UINT32_MAX
#define WHEEL_IDLE	 UINT64_MAX

struct wheel {
	struct list_node *nodes; /* items, then one head per slot */
	uint32_t items;
	uint64_t tick; /* all earlier ticks were taken */
	uint64_t busy[WHEEL_SLOTS / 64];
};

/* @nodes: memory for items + WHEEL_SLOTS nodes, owned by the caller */
void wheel_init(struct wheel *w, struct list_node *nodes, uint32_t items,
		uint64_t now_ns);

/* Sets or moves the timer of @item. Never fires before @due_ns. */
void wheel_set(struct wheel *w, uint32_t item, uint64_t due_ns);
void wheel_clear(struct wheel *w, uint32_t item);

/* Takes one item whose tick has passed, or returns WHEEL_NONE. */
uint32_t wheel_take(struct wheel *w, uint64_t now_ns);

/*
 * When to call wheel_take() next; WHEEL_IDLE if no timer is set. After
 * wheel_clear() it may return the time of an empty slot once.
 */
uint64_t wheel_next_ns(const struct wheel *w);

#endif
