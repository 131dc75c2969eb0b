/* SPDX-License-Identifier: MIT */
/* lookup.c - finds the service of a listener, the pool of a pair of ends */
#include <stdlib.h>
#include <string.h>

#include "core/lookup.h"
#include "core/state.h"

int engine_find_service(const struct engine *e, const struct endpoint *listen)
{
	for (unsigned i = 0; i < e->n_services; i++)
		if (endpoint_equal(&e->services[i].listen, listen))
			return (int)i;
	return -1;
}

static int compare_pool(const struct pool *pool, const struct ip_addr *source,
			const struct endpoint *backend)
{
	int order = memcmp(&pool->backend, backend, sizeof(*backend));

	return order ? order : memcmp(&pool->source, source, sizeof(*source));
}

static int by_ends(const void *a, const void *b, void *pools)
{
	const struct pool *y = (struct pool *)pools + *(const uint16_t *)b;

	return compare_pool((struct pool *)pools + *(const uint16_t *)a,
			    &y->source, &y->backend);
}

void engine_order_pools(struct engine *e)
{
	qsort_r(e->pool_order, e->n_pools, sizeof(*e->pool_order), by_ends,
		e->pools);
}

int engine_find_pool(const struct engine *e, const struct ip_addr *source,
		     const struct endpoint *backend)
{
	unsigned lo = 0, hi = e->n_pools;

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
