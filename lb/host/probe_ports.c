/* SPDX-License-Identifier: MIT */
#include <stdbool.h>

#include "core/engine.h"
#include "host/needs.h"
#include "host/probe_ports.h"

#define BLOCK_UNUSABLE (PROBE_PORTS + 1)

/* The number of ports in the block at @lo with flows, or BLOCK_UNUSABLE. */
static unsigned used_in_block(const struct reservation *r, const bool *used,
			      unsigned lo)
{
	unsigned n = 0;

	if (lo + PROBE_PORTS - 1 > PORT_MAX)
		return BLOCK_UNUSABLE;
	for (unsigned port = lo; port < lo + PROBE_PORTS; port++) {
		if (!r->usable.has[port])
			return BLOCK_UNUSABLE;
		n += used[port];
	}
	return n;
}

uint16_t probe_ports_choose(const struct reservation *r,
			    const struct state *state)
{
	const struct port_range *nat = &r->mine.range;
	const uint16_t before = state_probe_ports(state);
	unsigned best = 0, fewest = BLOCK_UNUSABLE;
	bool used[NEEDS_PORTS] = {false};

	needs_mark_ports(state, used);
	if (used_in_block(r, used, before) == 0)
		return before;
	for (unsigned lo = nat->hi; lo >= nat->lo; lo--) {
		unsigned n = used_in_block(r, used, lo);

		if (n < fewest) {
			best = lo;
			fewest = n;
		}
		if (n == 0)
			break;
	}
	return (uint16_t)best;
}
