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
 * The pool changes its source in place. Its flows keep their addresses and
 * still return their ports to it, so no port is in use twice.
 */
bool engine_set_source(struct engine *e, unsigned service, unsigned backend,
		       const struct ip_addr *source)
{
	struct backend *b = &e->services[service].backends[backend];
	struct pool *own = &e->pools[b->pools[0]];

	assert(b->n_sources == 1);
	assert(addr_is_set(source));
	/* Another service may have a pool for this pair already. */
	for (unsigned i = 0; i < e->n_pools; i++) {
		if (addr_equal(&e->pools[i].source, source) &&
		    endpoint_equal(&e->pools[i].backend, &b->addr)) {
			b->pools[0] = (uint16_t)i;
			return true;
		}
	}
	if (is_kept(e, b))
		return false;
	own->source = *source;
	own->away = false;
	engine_order_pools(e);
	return true;
}
