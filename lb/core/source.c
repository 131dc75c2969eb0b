/* SPDX-License-Identifier: MIT */
/*
 * source.c - our address toward a backend that has an alternate source: the
 * address that it answers
 */
#include "core/source.h"
#include "core/state.h"

void engine_swap_source(struct backend *b, uint64_t now_ns)
{
	const uint16_t other = b->alternate;

	b->alternate = b->pools[0];
	b->pools[0] = other;
	b->swapped = !b->swapped;
	b->swapped_ns = now_ns;
}

void engine_settle_source(struct engine *e, struct backend *b, uint64_t now_ns)
{
	if (!b->has_alternate || e->pools[b->pools[0]].answered ||
	    !e->pools[b->alternate].answered)
		return;
	engine_swap_source(b, now_ns);
	b->has_alternate = false;
}
