/* SPDX-License-Identifier: MIT */
/*
 * pools.c - who has which NAT ports
 *
 * All backends at one address, of whatever service, share the ports of each of
 * our addresses toward it. When the last of them leaves, the pool stays: if the
 * pair of ends returns, so do the ports in their order, and those that the
 * backend may still hold in TIME_WAIT come last. A pool that has rested is used
 * for another pair before a fresh one is touched, so a balancer whose backends
 * change for years does not grow.
 */
#include <errno.h>
#include <stdlib.h>

#include "core/health/ways.h"
#include "core/lookup.h"
#include "core/pools.h"
#include "core/state.h"

#define REST_NS (240 * NS_PER_S) /* twice the longest segment life */

/* The pool longest without a holder and without flows; -1: there is none. */
static int longest_empty(const struct engine *e)
{
	int best = -1;

	for (unsigned i = 0; i < e->n_pools; i++)
		if (!pools_in_use(&e->pools[i]) &&
		    (best < 0 || e->pools[i].left_ns < e->pools[best].left_ns))
			best = (int)i;
	return best;
}

static bool has_rested(const struct engine *e, const struct pool *p)
{
	return !addr_is_set(&p->source) || e->ticked_ns >= p->left_ns + REST_NS;
}

/* Takes a place for another pair, with its ports in random order. */
static int take_place(struct engine *e)
{
	int i = longest_empty(e);
	struct half_open *checks;
	uint16_t *ring;

	if (i < 0 ||
	    (!has_rested(e, &e->pools[i]) && e->n_pools < e->pools_max))
		i = (int)e->n_pools;
	if ((unsigned)i == e->pools_max)
		return -ENOSPC;
	if ((unsigned)i < e->n_pools) {
		engine_unorder_pool(e, (unsigned)i);
		engine_set_way(e, (unsigned)i, WAY_OPEN);
		ring = e->pools[i].ports.ring;
		checks = e->pools[i].checks;
	} else {
		ring = malloc(e->n_ports * sizeof(*ring) + 1);
		checks = calloc(PROBE_PORTS, sizeof(*checks));
		if (!ring || !checks) {
			free(ring);
			free(checks);
			return -ENOMEM;
		}
		e->n_pools++;
	}
	e->pools[i] = (struct pool){.link = WAY_IS_OPEN, .checks = checks};
	e->pools[i].next_probe = (uint8_t)random_below(&e->random, PROBE_PORTS);
	ports_init(&e->pools[i].ports, ring, e->ports, e->n_ports, &e->random);
	return i;
}

/* What was reported of @source before holds for its new pool, too. */
static bool begins_away(const struct engine *e, const struct ip_addr *source,
			bool alternate)
{
	if (!addr_is_set(source))
		return true;
	for (unsigned i = 0; e->runs && i < e->n_pools; i++)
		if (addr_equal(&e->pools[i].source, source))
			return e->pools[i].away;
	return alternate;
}

int pools_take(struct engine *e, const struct ip_addr *source,
	       const struct endpoint *backend, bool alternate)
{
	const bool away = begins_away(e, source, alternate);
	int i = -1;

	/* Unset sources share no pool: each may become another address. */
	if (addr_is_set(source))
		i = engine_find_pool(e, source, backend);
	if (i >= 0) {
		if (!e->runs)
			e->pools[i].away &= alternate;
		e->pools[i].holders++;
		return i;
	}
	i = take_place(e);
	if (i < 0)
		return i;
	e->pools[i].source = *source;
	e->pools[i].backend = *backend;
	e->pools[i].away = away;
	e->pools[i].holders = 1;
	engine_order_pool(e, (unsigned)i);
	return i;
}

void pools_let_go(struct engine *e, unsigned pool)
{
	struct pool *p = &e->pools[pool];

	assert(p->holders > 0);
	if (--p->holders > 0)
		return;
	p->left_ns = e->ticked_ns;
	engine_set_way(e, pool, WAY_OPEN);
}

void pools_set_source(struct engine *e, unsigned pool,
		      const struct ip_addr *source)
{
	assert(e->pools[pool].ports.free == e->pools[pool].ports.size);
	engine_unorder_pool(e, pool);
	e->pools[pool].source = *source;
	e->pools[pool].away = false;
	engine_order_pool(e, pool);
}
