/* SPDX-License-Identifier: MIT */
/* lookup.c - finds the service of a listener, the pool of a pair of ends */
#include <string.h>

#include "core/lookup.h"
#include "core/state.h"

static bool has_address(const struct service *s, const struct endpoint *listen)
{
	return endpoint_equal(&s->listen, listen) && s->slot >= SLOT_LIVE;
}

/* One that leaves may still have the address of one that has come for it. */
static int prefer_live(const struct engine *e, const struct endpoint *listen,
		       unsigned leaving)
{
	for (unsigned i = 0; i < e->n_services; i++)
		if (e->services[i].slot == SLOT_LIVE &&
		    has_address(&e->services[i], listen))
			return (int)i;
	return (int)leaving;
}

int engine_find_service(const struct engine *e, const struct endpoint *listen)
{
	for (unsigned i = 0; i < e->n_services; i++) {
		if (!has_address(&e->services[i], listen))
			continue;
		return e->services[i].slot == SLOT_LIVE
			       ? (int)i
			       : prefer_live(e, listen, i);
	}
	return -1;
}

static int compare_pool(const struct pool *pool, const struct ip_addr *source,
			const struct endpoint *backend)
{
	int order = memcmp(&pool->backend, backend, sizeof(*backend));

	return order ? order : memcmp(&pool->source, source, sizeof(*source));
}

/* The first place in the order that is not before this pair. */
static unsigned place_of(const struct engine *e, const struct ip_addr *source,
			 const struct endpoint *backend)
{
	unsigned lo = 0, hi = e->n_ordered;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;

		if (compare_pool(&e->pools[e->pool_order[mid]], source,
				 backend) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

void engine_order_pool(struct engine *e, unsigned pool)
{
	const struct pool *p = &e->pools[pool];
	uint16_t *at = &e->pool_order[place_of(e, &p->source, &p->backend)];

	memmove(at + 1, at,
		(size_t)(e->pool_order + e->n_ordered++ - at) * sizeof(*at));
	*at = (uint16_t)pool;
}

void engine_unorder_pool(struct engine *e, unsigned pool)
{
	const struct pool *p = &e->pools[pool];
	uint16_t *at = &e->pool_order[place_of(e, &p->source, &p->backend)];

	/* Pools whose source is unset may be equal. */
	while (*at != pool)
		at++;
	memmove(at, at + 1,
		(size_t)(e->pool_order + --e->n_ordered - at) * sizeof(*at));
}

int engine_find_pool(const struct engine *e, const struct ip_addr *source,
		     const struct endpoint *backend)
{
	unsigned lo = 0, hi = e->n_ordered;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;
		int order = compare_pool(&e->pools[e->pool_order[mid]], source,
					 backend);

		if (order == 0)
			return e->pool_order[mid];
		if (order < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return -1;
}
