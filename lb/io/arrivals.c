/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stddef.h>

#include "io/arrivals.h"

static_assert(ARRIVALS_MAX - 1 <= UINT8_MAX, "a hint is a byte");

static unsigned find(const struct arrivals *a, int ifindex)
{
	unsigned i = a->hint[(unsigned)ifindex % ARRIVALS_HINTS];

	if (i < a->n && a->at[i].ifindex == ifindex)
		return i;
	for (i = 0; i < a->n; i++)
		if (a->at[i].ifindex == ifindex)
			break;
	return i;
}

struct arrival *arrivals_find(struct arrivals *a, int ifindex)
{
	const unsigned i = find(a, ifindex);

	return i < a->n ? &a->at[i] : NULL;
}

/* Returns a new place, or that of the interface that was silent longest. */
static unsigned take_place(struct arrivals *a, int ifindex)
{
	unsigned place = 0;

	if (a->n < ARRIVALS_MAX) {
		place = a->n++;
	} else {
		for (unsigned i = 1; i < a->n; i++)
			if (a->at[i].heard_ns < a->at[place].heard_ns)
				place = i;
	}
	a->at[place] = (struct arrival){.ifindex = ifindex};
	a->fresh = true;
	return place;
}

void arrivals_note(struct arrivals *a, int ifindex, unsigned kind)
{
	unsigned i = find(a, ifindex);

	if (i == a->n)
		i = take_place(a, ifindex);
	a->hint[(unsigned)ifindex % ARRIVALS_HINTS] = (uint8_t)i;
	a->at[i].frames[kind]++;
	a->at[i].heard_ns = a->now_ns;
}

void arrivals_inherit(struct arrivals *a, int ifindex, struct arrival *before)
{
	struct arrival *new = arrivals_find(a, ifindex);

	if (!new) {
		before->ifindex = ifindex;
		return;
	}
	for (unsigned kind = 0; kind < ARRIVALS_KINDS; kind++)
		new->frames[kind] += before->frames[kind];
	new->down = before->down;
	*before = a->at[--a->n];
}

uint64_t arrivals_heard_ns(const struct arrivals *a, int ifindex)
{
	const unsigned i = find(a, ifindex);

	return i < a->n ? a->at[i].heard_ns : 0;
}
