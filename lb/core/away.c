/* SPDX-License-Identifier: MIT */
/*
 * away.c - addresses and routes to backends that this host lacks now
 *
 * A service whose address is away is not served: the kernel would not take its
 * packets either. A source address that is away gets no new flows; its existing
 * flows wait for it. Where the route chooses the source toward a backend, the
 * source is unset until there is a route. Until then none of its ports is given
 * to a flow.
 */
#include "core/away.h"
#include "core/lookup.h"
#include "core/pools.h"
#include "core/state.h"

void engine_set_service_away(struct engine *e, unsigned service, bool away)
{
	e->services[service].away = away;
}

void engine_set_source_away(struct engine *e, const struct ip_addr *source,
			    bool away)
{
	for (unsigned i = 0; i < e->n_pools; i++)
		if (addr_equal(&e->pools[i].source, source))
			e->pools[i].away = away;
}

bool engine_all_away(const struct engine *e, const struct backend *b)
{
	for (unsigned i = 0; i < b->n_sources; i++)
		if (!e->pools[b->pools[i]].away)
			return false;
	return true;
}

/* Its source was chosen by the same route and is as wrong as @b's. */
static bool may_change(const struct backend *b)
{
	return b->routed && !b->up;
}

/* True if a backend other than @b must keep the pool of @b. */
static bool is_kept(const struct engine *e, const struct backend *b)
{
	for (unsigned i = 0; i < e->n_services; i++) {
		for (unsigned k = 0; k < e->services[i].n_backends; k++) {
			const struct backend *other =
				&e->services[i].backends[k];

			/* A free slot has no sources. */
			for (unsigned n = 0; n < other->n_sources; n++)
				if (other != b &&
				    other->pools[n] == b->pools[0] &&
				    !may_change(other))
					return true;
			if (other != b && other->has_alternate &&
			    other->alternate == b->pools[0])
				return true;
		}
	}
	return false;
}

/*
 * A pool that is this backend's alone and has no flows changes its source in
 * place. Flows keep their addresses, so a pool that has any stays theirs, and
 * the backend gets another: else a backend that comes to use the old address
 * could give its ports twice. Others that share the pool may have to move, too,
 * but each by itself: the program holds the new source for this one alone.
 */
bool engine_set_source(struct engine *e, unsigned service, unsigned backend,
		       const struct ip_addr *source)
{
	struct backend *b = &e->services[service].backends[backend];
	const unsigned own = b->pools[0];
	int other;
	bool fresh;

	if (b->slot != SLOT_LIVE)
		return false;
	assert(b->n_sources == 1);
	assert(addr_is_set(source));
	/* Another service may have a pool for this pair already. */
	other = engine_find_pool(e, source, &b->addr);
	fresh = other < 0;
	if (fresh && is_kept(e, b))
		return false;
	if (fresh && e->pools[own].holders == 1 &&
	    e->pools[own].ports.free == e->pools[own].ports.size) {
		pools_set_source(e, own, source);
		return true;
	}
	other = pools_take(e, source, &b->addr, false);
	if (other < 0)
		return false;
	if (fresh)
		e->pools[other].away = false;
	b->pools[0] = (uint16_t)other;
	pools_let_go(e, own);
	return true;
}
