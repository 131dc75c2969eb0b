/* SPDX-License-Identifier: MIT */
/* See timers.h. */
#include "io/timers.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

bool timers_reserve(struct timers *all, unsigned count)
{
	unsigned capacity = all->capacity ? all->capacity : 16;
	struct timer **heap;

	if (count <= all->capacity)
		return true;
	while (capacity < count)
		capacity *= 2;
	heap = realloc(all->heap, (capacity + 1) * sizeof(struct timer *));
	if (!heap)
		return false;
	all->heap = heap;
	all->capacity = capacity;
	return true;
}

static void put(struct timers *all, struct timer *t, unsigned place)
{
	all->heap[place] = t;
	t->place = place;
}

static void rise(struct timers *all, struct timer *t)
{
	unsigned place = t->place;

	while (place > 1 && all->heap[place / 2]->due_ms > t->due_ms) {
		put(all, all->heap[place / 2], place);
		place /= 2;
	}
	put(all, t, place);
}

static void sink(struct timers *all, struct timer *t)
{
	unsigned place = t->place;

	for (;;) {
		unsigned child = 2 * place;

		if (child > all->count)
			break;
		if (child < all->count &&
		    all->heap[child + 1]->due_ms < all->heap[child]->due_ms)
			child++;
		if (all->heap[child]->due_ms >= t->due_ms)
			break;
		put(all, all->heap[child], place);
		place = child;
	}
	put(all, t, place);
}

void timers_set(struct timers *all, struct timer *t, int64_t due_ms)
{
	if (t->place && t->due_ms == due_ms)
		return;
	t->due_ms = due_ms;
	if (!t->place) {
		assert(all->count < all->capacity);
		put(all, t, ++all->count);
	}
	rise(all, t);
	sink(all, t);
}

void timers_drop(struct timers *all, struct timer *t)
{
	struct timer *last;
	unsigned place = t->place;

	if (!place)
		return;
	t->place = 0;
	last = all->heap[all->count--];
	if (last == t)
		return;
	put(all, last, place);
	rise(all, last);
	sink(all, last);
}

struct timer *timers_due(struct timers *all, int64_t now_ms)
{
	struct timer *t = all->count > 0 ? all->heap[1] : NULL;

	if (!t || t->due_ms > now_ms)
		return NULL;
	timers_drop(all, t);
	return t;
}

int timers_wait_ms(const struct timers *all, int64_t now_ms)
{
	int64_t wait;

	if (all->count == 0)
		return -1;
	wait = all->heap[1]->due_ms - now_ms;
	if (wait < 0)
		return 0;
	return wait > INT_MAX ? INT_MAX : (int)wait;
}

void timers_free(struct timers *all)
{
	free(all->heap);
	all->heap = NULL;
	all->count = all->capacity = 0;
}
