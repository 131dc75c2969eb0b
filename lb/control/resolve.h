/* SPDX-License-Identifier: MIT */
/*
 * resolve.h - our address toward a backend, by this host's addresses and routes
 *
 * Design rule 8. Each call asks the kernel.
 */
#ifndef L4LB_RESOLVE_H
#define L4LB_RESOLVE_H

#include "control/config.h"
#include "core/engine.h"
#include "net/netlink.h"

/* True if @addr is an address of this host. */
bool resolve_is_local(const struct ip_addr *addr, struct netlink *nl);

/*
 * Our address toward a backend by the current routes, or the first one that the
 * user gave. -EADDRNOTAVAIL: the choice depends on the service's address, and
 * this host does not have it. -ENETUNREACH and others: there is no route.
 */
int resolve_source(const struct service_config *service,
		   const struct endpoint *backend, struct netlink *nl,
		   struct ip_addr *out, struct err *err);

/* Sets @b->alternate if the route prefers another source than its first. */
void resolve_alternate(const struct service_config *service,
		       struct backend_spec *b, struct netlink *nl);

#endif
