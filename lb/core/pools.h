/* SPDX-License-Identifier: MIT */
/* pools.h - who has which NAT ports */
#ifndef L4LB_POOLS_H
#define L4LB_POOLS_H

#include "core/state.h"

/*
 * The pool of the ports from @source toward @backend, for one more backend that
 * has it as a source; -ENOSPC or -ENOMEM. @alternate: it is away until the
 * program reports that it holds the address. Give it back by pools_let_go().
 */
int pools_take(struct engine *e, const struct ip_addr *source,
	       const struct endpoint *backend, bool alternate);
void pools_let_go(struct engine *e, unsigned pool);

/* Another source for a pool of which no port is in use. */
void pools_set_source(struct engine *e, unsigned pool,
		      const struct ip_addr *source);

/* False: it only waits for its pair of ends to return. */
static inline bool pools_in_use(const struct pool *p)
{
	return p->holders > 0 || p->ports.free < p->ports.size;
}

#endif
