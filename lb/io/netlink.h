/* SPDX-License-Identifier: MIT */
/*
 * netlink.h - what the kernel knows of links, addresses, routes, neighbours
 *
 * Read over rtnetlink (libmnl) at start and kept current by notifications, so
 * that a neighbour that changes its MAC or a route that moves is followed.
 * IPv4 for now; addresses are mapped. Single-threaded: owned by the main loop.
 */
#ifndef L4LB_NETLINK_H
#define L4LB_NETLINK_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/err.h"

#define ETH_HEADER_LEN 14

struct netlink;

struct link {
	int ifindex;
	char name[IF_NAMESIZE];
	uint8_t mac[6];
	uint16_t type; /* ARPHRD_* */
	uint32_t mtu;
	bool up;       /* IFF_UP and IFF_RUNNING */
	bool loopback;
};

/* What a route lookup for one destination says. */
struct route {
	int ifindex;		/* leaves here; the loopback if it is local */
	bool local;		/* the destination is this host */
	bool has_gateway;
	struct ip_addr gateway;
	struct ip_addr prefsrc; /* the source the kernel would use */
	uint32_t mtu;		/* of the route, else of the link */
};

/* How packets to one destination leave: see netlink_hop(). */
struct hop {
	int ifindex; /* 0: no route */
	uint32_t mtu;
	/* True: put @eth before the IP header and send on @ifindex. False:
	 * raw IP, the kernel routes and resolves (loopback, unknown, FAILED
	 * or not yet known neighbour, link without Ethernet header).
	 */
	bool link;
	uint8_t eth[ETH_HEADER_LEN];
};

enum netlink_event_kind {
	NETLINK_LINK_UP,   /* appeared, or came back */
	NETLINK_LINK_DOWN, /* down, or vanished */
	NETLINK_ADDR_NEW,
	NETLINK_ADDR_GONE,
	NETLINK_ROUTE_CHANGED, /* any route; @link and @addr are not set */
};

struct netlink_event {
	enum netlink_event_kind kind;
	const struct link *link; /* as it is now, or was last */
	struct ip_addr addr;
};

typedef void netlink_event_fn(void *arg, const struct netlink_event *event);

/* Opens the sockets, subscribes, then reads everything there is. */
int netlink_open(struct netlink **out, struct err *err);
void netlink_close(struct netlink *nl);

/* Readable when notifications wait: then call netlink_read(). Never blocks.
 * An overrun (ENOBUFS) re-reads everything.
 */
int netlink_fd(const struct netlink *nl);
void netlink_read(struct netlink *nl, netlink_event_fn *fn, void *arg);

/* NULL if there is none. Valid until the next netlink_read(). */
const struct link *netlink_link(const struct netlink *nl, int ifindex);
const struct link *netlink_link_by_name(const struct netlink *nl,
					const char *name);

/* The interface that holds a local address, or 0. */
int netlink_addr_ifindex(const struct netlink *nl, const struct ip_addr *addr);

/* Asks the kernel, now. -ENETUNREACH, -EHOSTUNREACH ... if there is none. */
int netlink_route(struct netlink *nl, const struct ip_addr *dst,
		  struct route *out, struct err *err);

/*
 * Per packet, O(1): how packets to @dst leave. Answers come from a bounded
 * cache that route changes empty; a miss asks the kernel, at most
 * NETLINK_QUERIES_PER_MS in a millisecond, beyond that the answer is raw IP,
 * which is always right, only slower. While a STALE neighbour is used the
 * kernel is asked to verify it (RTM_NEWNEIGH with NTF_USE), at most once a
 * second. @now_ns: monotonic.
 */
#define NETLINK_QUERIES_PER_MS 4
void netlink_hop(struct netlink *nl, const struct ip_addr *dst,
		 uint64_t now_ns, struct hop *out);

#endif
