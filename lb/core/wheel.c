/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "core/wheel.h"

static uint32_t head_of(const struct wheel *w, uint64_t tick)
{
	return w->items + (uint32_t)(tick % WHEEL_SLOTS);
}

void wheel_init(struct wheel *w, struct list_node *nodes, uint32_t items,
		uint64_t now_ns)
{
	memset(w, 0, sizeof(*w));
	w->nodes = nodes;
	w->items = items;
	w->tick = now_ns >> WHEEL_TICK_SHIFT;
	list_init(nodes, items + WHEEL_SLOTS);
}

void wheel_set(struct wheel *w, uint32_t item, uint64_t due_ns)
{
	/* Rounded up: a slot is taken when its tick has passed. */
	uint64_t tick = (due_ns >> WHEEL_TICK_SHIFT) + 1;
	uint32_t slot;

	if (tick < w->tick)
		tick = w->tick;
	if (tick >= w->tick + WHEEL_SLOTS)
		tick = w->tick + WHEEL_SLOTS - 1;
	slot = (uint32_t)(tick % WHEEL_SLOTS);

	list_remove(w->nodes, item);
	list_append(w->nodes, head_of(w, tick), item);
	w->busy[slot / 64] |= 1ull << slot % 64;
}

/* The slot's busy bit stays set until the slot is taken. */
void wheel_clear(struct wheel *w, uint32_t item)
{
	list_remove(w->nodes, item);
}

/* Ticks from w->tick to the first slot that may have items, or -1. */
static int64_t to_busy_slot(const struct wheel *w)
{
	uint32_t start = (uint32_t)(w->tick % WHEEL_SLOTS);
	const uint32_t words = WHEEL_SLOTS / 64;

	for (uint32_t i = 0; i <= words; i++) {
		uint32_t word = (start / 64 + i) % words;
		uint64_t bits = w->busy[word];

		if (i == 0)
			bits &= ~0ull << start % 64;
		else if (i == words)
			bits &= ~(~0ull << start % 64);
		if (bits) {
			uint32_t slot =
				word * 64 + (uint32_t)__builtin_ctzll(bits);

			return (slot + WHEEL_SLOTS - start) % WHEEL_SLOTS;
		}
	}
	return -1;
}

uint32_t wheel_take(struct wheel *w, uint64_t now_ns)
{
	uint64_t now = now_ns >> WHEEL_TICK_SHIFT;

	while (w->tick <= now) {
		int64_t skip = to_busy_slot(w);
		uint32_t head, item;

		if (skip < 0 || w->tick + (uint64_t)skip > now) {
			w->tick = now + 1;
			break;
		}
		w->tick += (uint64_t)skip;
		head = head_of(w, w->tick);
		item = w->nodes[head].next;
		if (item != head) {
			list_remove(w->nodes, item);
			return item;
		}
		w->busy[w->tick % WHEEL_SLOTS / 64] &=
			~(1ull << w->tick % WHEEL_SLOTS % 64);
		w->tick++;
	}
	return WHEEL_NONE;
}

uint64_t wheel_next_ns(const struct wheel *w)
{
	int64_t skip = to_busy_slot(w);

	if (skip < 0)
		return WHEEL_IDLE;
	return (w->tick + (uint64_t)skip) << WHEEL_TICK_SHIFT;
}
