/* SPDX-License-Identifier: MIT */
/*
 * netlink_state.h - the insides of struct netlink, for netlink.c and route.c
 *
 * Three sockets. One is subscribed and only ever heard (and sends NTF_USE,
 * whose rare refusals arrive among the notifications, where they are skipped).
 * One asks for routes. One reads everything, at start and after an overrun;
 * it is apart so that whoever hears of a change meanwhile may ask for a route.
 *
 * The tables (iface, neigh, path) know no sockets and the messages (rtmsg) no
 * tables: here they meet.
 */
#ifndef L4LB_NETLINK_STATE_H
#define L4LB_NETLINK_STATE_H

#include "io/iface.h"
#include "io/martian.h"
#include "io/neigh.h"
#include "io/netlink.h"
#include "io/path.h"
#include "io/rtnl.h"

struct netlink {
	struct mnl_socket *events;
	struct rtnl ask;  /* routes */
	struct rtnl dump; /* everything */

	struct iface_table *ifaces;
	struct neigh_table *neighs;
	struct path_cache *paths;
	uint32_t largest_mtu;  /* of any link: see HOP_UNKNOWN */
	uint32_t smallest_mtu; /* loopback aside */
	struct martian_table martians;
	bool martians_stale; /* to be made anew from @ifaces */
	int loopback;	     /* its ifindex, made with them */

	/* Of the netlink_read() that runs; NULL while in netlink_open() */
	netlink_event_fn *fn;
	void *arg;
	bool routes_changed; /* to be told at the end of the read */
	bool lost;	     /* notifications were: read everything again */
	bool dumping;	     /* reads everything: nothing of that is news */
	uint32_t asked;	     /* the neighbour that was, last */

	uint64_t budget_ms; /* the millisecond in which these were asked: */
	unsigned budget_used;
	uint64_t silent_until_ns; /* none before, since one was not answered */

	struct netlink_counters counters;
	char buffer[RTNL_BUFFER]; /* of @events */
};

#endif
