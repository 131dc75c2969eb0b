/* SPDX-License-Identifier: MIT */
/*
 * netlink_state.h - the inside of struct netlink, for netlink.c and route.c
 *
 * Three sockets. The first is subscribed to notifications; it also sends
 * NTF_USE, whose rare errors arrive among the notifications and are skipped.
 * The second asks for routes. The third reads everything, at the start and
 * after an overrun. It is separate, so that a callback may ask for a route
 * during such a reading.
 *
 * The tables (links, neigh, route_cache) know no sockets, and the messages
 * (rtmsg) know no tables: they meet here.
 */
#ifndef L4LB_NETLINK_STATE_H
#define L4LB_NETLINK_STATE_H

#include "net/links.h"
#include "net/martian.h"
#include "net/neigh.h"
#include "net/netlink.h"
#include "net/route_cache.h"
#include "net/rtnl.h"

struct netlink {
	struct mnl_socket *events;
	struct rtnl ask;  /* routes */
	struct rtnl dump; /* all tables */

	struct link_table *links;
	struct neigh_table *neighs;
	struct route_cache *routes;
	uint32_t largest_mtu;  /* of any link: see HOP_UNKNOWN */
	uint32_t smallest_mtu; /* of any link but loopback */
	struct martian_table martians;
	bool martians_stale; /* rebuild @martians from @links */
	int loopback;	     /* its ifindex, rebuilt with @martians */

	/* Of the netlink_read() in progress; NULL during netlink_open(). */
	netlink_event_fn *fn;
	void *arg;
	bool routes_changed; /* report it at the end of the read */
	bool lost;	/* notifications were lost: read everything again */
	bool dumping;	/* in a complete reading: entries are no news */
	uint32_t asked; /* index of the neighbour asked last */

	uint64_t budget_ms; /* the millisecond of these queries: */
	unsigned budget_used;
	uint64_t silent_until_ns; /* no query before: one got no answer */

	struct netlink_counters counters;
	char buffer[RTNL_BUFFER]; /* for @events */
};

#endif
