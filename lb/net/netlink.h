/* SPDX-License-Identifier: MIT */
/*
 * netlink.h - the kernel's links, addresses, routes and neighbours
 *
 * Read by rtnetlink (libmnl) at the start and kept current by notifications, so
 * l4lb follows a neighbour that changes its MAC and a route that moves. IPv4
 * for now; addresses are mapped. Single-threaded: owned by the main loop.
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
	bool up; /* IFF_UP and IFF_RUNNING */
	bool loopback;
	bool noarp; /* neighbours are not resolved here */
	/*
	 * The bridge, bond and so on by which its packets come in; 0: by the
	 * link itself. A VRF does not count: the kernel moves packets there
	 * later.
	 */
	int master;
	int parent; /* of a VLAN, macvlan ...; 0: none in this namespace */
};

/* The kernel's answer to one route look-up. */
struct route {
	int ifindex;   /* the link it leaves by; loopback if @local */
	bool local;    /* the destination is an address of this host */
	bool raw_only; /* a tunnel, or the gateway is an IPv6 address */
	bool has_gateway;
	struct ip_addr gateway;
	struct ip_addr prefsrc; /* the source the kernel would use */
	uint32_t mtu;		/* of the route, else of the link */
};

/* How packets to one destination leave, see netlink_hop(). */
#define HOP_NO_ROUTE 0	  /* none, or a broadcast or multicast address */
#define HOP_UNKNOWN  (-1) /* not looked up yet: raw IP */
struct hop {
	int ifindex; /* or HOP_NO_ROUTE, HOP_UNKNOWN */
	/*
	 * HOP_NO_ROUTE: 0. HOP_UNKNOWN: the largest MTU of this host. A packet
	 * that is too long then gets EMSGSIZE, and no sender is informed of a
	 * limit that does not exist.
	 */
	uint32_t mtu;
	/*
	 * True: put @eth before the IP header and send on @ifindex. False: send
	 * by raw IP, so that the kernel routes and resolves (loopback, unknown
	 * route, a neighbour that is FAILED or not known yet, a link without
	 * Ethernet headers).
	 */
	bool link;
	/*
	 * With @link false: the neighbour is not resolved, so the packet may
	 * wait for it in the kernel.
	 */
	bool unresolved;
	uint8_t eth[ETH_HEADER_LEN];
};

enum netlink_event_kind {
	NETLINK_LINK_UP,      /* appeared, or came back */
	NETLINK_LINK_DOWN,    /* went down; sent again if it vanishes */
	NETLINK_LINK_CHANGED, /* its name, MAC, MTU, master ... changed */
	NETLINK_ADDR_NEW,
	NETLINK_ADDR_GONE,
	NETLINK_ROUTE_CHANGED, /* any; once per read; @link, @addr unset */
};

struct netlink_event {
	enum netlink_event_kind kind;
	/*
	 * The link as it is now, or as it was last: for one that has vanished,
	 * netlink_link() returns NULL. NULL with NETLINK_ADDR_GONE if the link
	 * went first.
	 */
	const struct link *link;
	struct ip_addr addr;
};

/* May call all functions below except netlink_read() and netlink_close(). */
typedef void netlink_event_fn(void *arg, const struct netlink_event *event);

struct netlink_counters {
	uint64_t queries;     /* route look-ups sent to the kernel */
	uint64_t over_budget; /* packets that went HOP_UNKNOWN */
	uint64_t probes;      /* requests to verify a STALE neighbour */
	uint64_t resyncs;     /* complete readings after lost notifications */
	uint64_t table_full;  /* links, addresses, neighbours not remembered */
};

/* Opens the sockets, subscribes, then reads all tables. */
int netlink_open(struct netlink **out, struct err *err);
void netlink_close(struct netlink *nl);

/*
 * Readable when notifications wait: then call netlink_read(), which never waits
 * for them. After an overrun (ENOBUFS) it reads everything again and reports
 * the differences to @fn. If that reading fails, the next call tries again, so
 * call it every few seconds in any case. @fn may be NULL.
 */
int netlink_fd(const struct netlink *nl);
void netlink_read(struct netlink *nl, netlink_event_fn *fn, void *arg);

/* Return NULL if there is no such link. Valid until the next netlink_read(). */
const struct link *netlink_link(const struct netlink *nl, int ifindex);
const struct link *netlink_link_by_name(const struct netlink *nl,
					const char *name);

/*
 * True if packets that come in by @ifindex pass @lower on their way: it is
 * @ifindex itself, a port or member of it, or the parent of its VLAN or
 * macvlan. Too slow for every packet.
 */
bool netlink_carries(const struct netlink *nl, int lower, int ifindex);

/* The interface that holds a local address, or 0. Too slow for every packet. */
int netlink_addr_ifindex(const struct netlink *nl, const struct ip_addr *addr);

/*
 * For every packet: true if this host would refuse one from @src to @dst on
 * @ifindex, see martian.h.
 */
bool netlink_is_martian(struct netlink *nl, const struct ip_addr *src,
			const struct ip_addr *dst, int ifindex);
/* As of the last call of netlink_is_martian(). */
bool netlink_is_loopback(const struct netlink *nl, int ifindex);

/* Of the links that are up, without loopback. */
uint32_t netlink_smallest_mtu(const struct netlink *nl);

/*
 * The links as last read. netlink_open() reports no events, so begin with
 * these. @fn is called as for events, with the kind NETLINK_LINK_UP or _DOWN.
 */
void netlink_for_each_link(const struct netlink *nl, netlink_event_fn *fn,
			   void *arg);

/*
 * Asks the kernel now. -ENETUNREACH, -EHOSTUNREACH ... if there is no route.
 * @src: the source that the packets will carry, for policy rules; it must be an
 * address of this host. NULL: not known yet, take @out->prefsrc.
 */
int netlink_route(struct netlink *nl, const struct ip_addr *src,
		  const struct ip_addr *dst, struct route *out,
		  struct err *err);

/*
 * For every packet, O(1): how packets from @src (as in netlink_route()) to @dst
 * leave. HOP_NO_ROUTE also if @src is not, or no longer, an address of this
 * host.
 *
 * Answers come from a bounded cache, which a change of routes empties. A miss
 * asks the kernel, at most NETLINK_QUERIES_PER_MS times in a millisecond;
 * beyond that the answer is raw IP, which is always right, only slower. If the
 * neighbour is STALE, the kernel is asked to verify it (RTM_NEWNEIGH with
 * NTF_USE), at most once a second. @now_ns: monotonic.
 */
#define NETLINK_QUERIES_PER_MS 4
void netlink_hop(struct netlink *nl, const struct ip_addr *src,
		 const struct ip_addr *dst, uint64_t now_ns, struct hop *out);

/*
 * The .ifindex of netlink_hop() alone. It does not verify the neighbour, so it
 * can be called for a destination that nothing is sent to.
 */
int netlink_leaves_by(struct netlink *nl, const struct ip_addr *src,
		      const struct ip_addr *dst, uint64_t now_ns);

/* Neighbours that one netlink_ask_link() asks, at most every 10 ms. */
#define NETLINK_ASKED 8
/*
 * Makes the kernel resolve an unknown neighbour, with the source address that
 * suits the link. If a packet waited for the neighbour, the kernel would use
 * the source of that packet instead.
 */
void netlink_resolve(struct netlink *nl, int ifindex,
		     const struct ip_addr *addr);
/*
 * Whether a link lives. netlink_heard_ns() returns the time (CLOCK_BOOTTIME)
 * when the kernel last verified a neighbour on the link; 0: never.
 * netlink_ask_link() makes the kernel send an ARP request to some known
 * neighbours there, in turn.
 */
uint64_t netlink_heard_ns(const struct netlink *nl, int ifindex);
void netlink_ask_link(struct netlink *nl, int ifindex, uint64_t now_ns);

struct netlink_counters netlink_counters(const struct netlink *nl);

#endif
