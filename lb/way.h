/* SPDX-License-Identifier: MIT */
/*
 * way.h - tells the engine whether a backend has a route, and when anything was
 * last heard by its link
 */
#ifndef L4LB_WAY_H
#define L4LB_WAY_H

#include "app.h"

/* As in struct engine_spec; @arg is the struct app. */
bool way_can_reach(void *arg, const struct ip_addr *source,
		   const struct ip_addr *backend);
uint64_t way_heard_ns(void *arg, const struct ip_addr *source,
		      const struct ip_addr *backend, enum way_wish wish);

#endif
