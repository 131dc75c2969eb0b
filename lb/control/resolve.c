/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "control/resolve.h"

bool resolve_is_local(const struct ip_addr *addr, struct netlink *nl)
{
	struct route route;
	struct err err;

	if (netlink_addr_ifindex(nl, addr) || addr_is_loopback(addr))
		return true;
	/* A route of type local can make a whole prefix local. */
	return netlink_route(nl, NULL, addr, &route, &err) == 0 && route.local;
}

/*
 * Chooses our source address toward a backend when the user did not. The VIP,
 * if the backend is reached by the interface that holds it or by lo: then
 * nothing changes in the simplest set-up. Else the source that the route
 * prefers: then a backend never needs a route of its own.
 */
int resolve_source(const struct service_config *service,
		   const struct endpoint *backend, struct netlink *nl,
		   struct ip_addr *out, struct err *err)
{
	char text[ENDPOINT_TEXT_MAX];
	struct route route;
	struct err why;
	int ret;

	/* Within this host no route is needed. */
	if (service->n_sources && addr_is_loopback(&backend->addr)) {
		*out = service->sources[0];
		return 0;
	}
	ret = netlink_route(nl, NULL, &backend->addr, &route, &why);
	if (ret)
		return err_set(err, ret, "service %s: no way to backend %s: %s",
			       service->name, endpoint_format(backend, text),
			       why.text);
	if (service->n_sources)
		*out = service->sources[0];
	else if (route.local)
		*out = service->listen.addr;
	else if (!resolve_is_local(&service->listen.addr, nl))
		/* Does that interface hold the VIP? */
		return err_set(err, -EADDRNOTAVAIL,
			       "service %s: its address is not there",
			       service->name);
	else if (route.ifindex ==
		 netlink_addr_ifindex(nl, &service->listen.addr))
		*out = service->listen.addr;
	else
		*out = route.prefsrc;
	return 0;
}

/*
 * Servers that were once behind direct routing may still hold the service's
 * address, and drop packets from it as their own. If the route prefers another
 * source, that one is tried when the first gets no answer.
 */
void resolve_alternate(const struct service_config *service,
		       struct backend_spec *b, struct netlink *nl)
{
	struct route route;
	struct err none;

	if (!addr_equal(&b->sources[0], &service->listen.addr) ||
	    netlink_route(nl, NULL, &b->addr.addr, &route, &none) ||
	    route.local || !addr_is_set(&route.prefsrc) ||
	    addr_equal(&route.prefsrc, &b->sources[0]))
		return;
	b->alternate = route.prefsrc;
	/* Such servers do not answer ARP from that address either. */
	netlink_resolve(nl, route.ifindex,
			route.has_gateway ? &route.gateway : &b->addr.addr);
}
