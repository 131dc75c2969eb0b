/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "core/syn_gate.h"

void syn_gate_init(struct syn_gate *g)
{
	*g = (struct syn_gate){.first = SYN_GATE_FIRST};
}

void syn_gate_free(struct syn_gate *g)
{
	free(g->seen);
	g->seen = NULL;
}

void syn_gate_lost(struct syn_gate *g, uint64_t now_ns)
{
	if (!g->seen)
		g->seen = calloc((size_t)1 << SYN_GATE_BITS, sizeof(*g->seen));
	if (!g->seen)
		return;
	g->closed_until_ns = now_ns + SYN_GATE_CLOSED_NS;
	g->refused = 0;
}

unsigned syn_gate_turn(struct syn_gate *g, uint64_t now_ns)
{
	g->first = SYN_GATE_FIRST;
	return now_ns < g->closed_until_ns ? SYN_GATE_LOOK : SYN_GATE_FIRST;
}

/* True if the SYN is a copy of one seen before. Remembers it if not. */
static bool was_seen(struct syn_gate *g, uint32_t hash, uint32_t isn,
		     uint64_t now_ns)
{
	/* Fibonacci hashing: the upper bits depend on all bits. */
	const uint64_t x = ((uint64_t)hash << 32 | isn) * 0x9e3779b97f4a7c15ull;
	const uint32_t tag = (uint32_t)(x >> 16) & 0xffffff00;
	const uint8_t now_s = (uint8_t)(now_ns / NS_PER_S);
	uint32_t *place = &g->seen[x >> (64 - SYN_GATE_BITS)];

	if ((*place & 0xffffff00) == tag &&
	    (uint8_t)(now_s - *place) <= SYN_GATE_MEMORY_S)
		return true;
	*place = tag | now_s;
	return false;
}

bool syn_gate_passes(struct syn_gate *g, uint32_t hash, uint32_t isn,
		     uint64_t now_ns)
{
	if (now_ns >= g->closed_until_ns)
		return true;
	if (was_seen(g, hash, isn, now_ns))
		return true;
	if (g->first > 0) {
		g->first--;
		return true;
	}
	if (++g->refused == SYN_GATE_WAITING)
		syn_gate_lost(g, now_ns);
	return false;
}
