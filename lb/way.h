/* SPDX-License-Identifier: MIT */
/*
 * way.h - the way to a backend, as the engine wants to know it: whether there
 * is one, and whether anything is heard by it
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
