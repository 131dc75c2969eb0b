/* SPDX-License-Identifier: MIT */
/*
 * source.c - our address toward a backend that has an alternate source: the
 * address that it answers
 */
#include <string.h>

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

void engine_try_alternate(struct engine *e, struct backend *b, uint64_t now_ns)
{
	const struct pool *alternate = &e->pools[b->alternate];

	if (alternate->away)
		e->wanted = alternate->source;
	else
		engine_swap_source(b, now_ns);
}

bool engine_next_wanted(struct engine *e, struct ip_addr *out)
{
	if (!addr_is_set(&e->wanted))
		return false;
	*out = e->wanted;
	memset(&e->wanted, 0, sizeof(e->wanted));
	return true;
}

void engine_settle_source(struct engine *e, struct backend *b, uint64_t now_ns)
{
	if (!b->has_alternate || e->pools[b->pools[0]].answered ||
	    !e->pools[b->alternate].answered)
		return;
	engine_swap_source(b, now_ns);
	b->has_alternate = false;
}
