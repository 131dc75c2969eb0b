/* SPDX-License-Identifier: MIT */
/* lookup.h - finds the service of a listener, the pool of a pair of ends */
#ifndef L4LB_LOOKUP_H
#define L4LB_LOOKUP_H

#include "core/state.h"

/* Index of the service that listens there, also if it leaves; or -1. */
int engine_find_service(const struct engine *e, const struct endpoint *listen);

/* Index of the pool from @source to @backend, or -1. O(log pools). */
int engine_find_pool(const struct engine *e, const struct ip_addr *source,
		     const struct endpoint *backend);

/*
 * A pool must be taken out of the order before its pair changes, and put back
 * after that. O(pools).
 */
void engine_order_pool(struct engine *e, unsigned pool);
void engine_unorder_pool(struct engine *e, unsigned pool);

static inline bool engine_is_nat_port(const struct engine *e, uint16_t port)
{
	return e->nat_ports[port / 8] >> port % 8 & 1;
}

#endif
