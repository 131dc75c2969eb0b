/* SPDX-License-Identifier: MIT */
/* ways.h - the link toward each backend, and when it was last heard */
#ifndef L4LB_WAYS_H
#define L4LB_WAYS_H

#include "core/state.h"

/* The values of pool.link that are not an index in engine.links. */
#define WAY_IS_OPEN (-1) /* see engine_set_way() */
#define WAY_IS_NONE (-2)

/* The link toward @b from its present source; NULL: there is none to judge. */
static inline struct way_link *ways_link(struct engine *e,
					 const struct backend *b)
{
	const int link = e->pools[b->pools[0]].link;

	return link >= 0 ? &e->links[link] : NULL;
}

/* True if this host has no way to @b: no route, or its interface is down. */
static inline bool ways_has_none(const struct engine *e,
				 const struct backend *b)
{
	return e->pools[b->pools[0]].link == WAY_IS_NONE;
}

#endif
