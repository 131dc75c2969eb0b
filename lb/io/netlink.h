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
	bool up; /* IFF_UP and IFF_RUNNING */
	bool loopback;
	bool noarp; /* neighbours are not resolved here */
	/* The bridge, bond ... by which its packets come in; 0: none, they come
	 * in by itself. A VRF is none: the kernel moves packets there later.
	 */
	int master;
	int parent; /* of a VLAN, a macvlan ...; 0: none in this namespace */
};

/* What a route lookup for one destination says. */
struct route {
	int ifindex;   /* leaves here; the loopback if it is local */
	bool local;    /* the destination is this host */
	bool raw_only; /* tunnelled, or an IPv6 gateway */
	bool has_gateway;
	struct ip_addr gateway;
	struct ip_addr prefsrc; /* the source the kernel would use */
	uint32_t mtu;		/* of the route, else of the link */
};

/* How packets to one destination leave: see netlink_hop(). */
#define HOP_NO_ROUTE 0	  /* none, or a broadcast or multicast address */
#define HOP_UNKNOWN  (-1) /* not asked yet: raw IP */
struct hop {
	int ifindex; /* or HOP_NO_ROUTE or HOP_UNKNOWN */
	/* HOP_NO_ROUTE: 0. HOP_UNKNOWN: the largest of this host, so that what
	 * is too long is found by EMSGSIZE and nobody is told of a limit that
	 * does not exist.
	 */
	uint32_t mtu;
	/* True: put @eth before the IP header and send on @ifindex. False:
	 * raw IP, the kernel routes and resolves (loopback, unknown, FAILED
	 * or not yet known neighbour, link without Ethernet header).
	 */
	bool link;
	/* With @link false: because its neighbour is not known, so that what
	 * is sent may wait in the kernel until it is.
	 */
	bool unresolved;
	uint8_t eth[ETH_HEADER_LEN];
};

enum netlink_event_kind {
	NETLINK_LINK_UP,      /* appeared, or came back */
	NETLINK_LINK_DOWN,    /* down; and again when it vanishes */
	NETLINK_LINK_CHANGED, /* another name, MAC, MTU, master ... */
	NETLINK_ADDR_NEW,
	NETLINK_ADDR_GONE,
	NETLINK_ROUTE_CHANGED, /* any, once a read; @link, @addr not set */
};

struct netlink_event {
	enum netlink_event_kind kind;
	/* As it is now, or was last: netlink_link() of a vanished one is NULL.
	 * NULL with NETLINK_ADDR_GONE if the link went first.
	 */
	const struct link *link;
	struct ip_addr addr;
};

/* May call everything here but netlink_read() and netlink_close(). */
typedef void netlink_event_fn(void *arg, const struct netlink_event *event);

struct netlink_counters {
	uint64_t queries;     /* route lookups asked of the kernel */
	uint64_t over_budget; /* packets that went HOP_UNKNOWN */
	uint64_t probes;      /* STALE neighbours the kernel was to verify */
	uint64_t resyncs;     /* notifications lost, everything read again */
	uint64_t table_full;  /* links, addresses, neighbours not remembered */
};

/* Opens the sockets, subscribes, then reads everything there is. */
int netlink_open(struct netlink **out, struct err *err);
void netlink_close(struct netlink *nl);

/*
 * Readable when notifications wait: then call netlink_read(). Never waits for
 * notifications. After an overrun (ENOBUFS) everything is read again and @fn
 * hears the difference; should that fail, the next call tries again, so call
 * it every few seconds in any case. @fn may be NULL.
 */
int netlink_fd(const struct netlink *nl);
void netlink_read(struct netlink *nl, netlink_event_fn *fn, void *arg);

/* NULL if there is none. Valid until the next netlink_read(). */
const struct link *netlink_link(const struct netlink *nl, int ifindex);
const struct link *netlink_link_by_name(const struct netlink *nl,
					const char *name);

/*
 * Whether what comes in by @ifindex passes @lower on its way there: itself, a
 * port or member of it, what it is a VLAN or macvlan of. Not per packet.
 */
bool netlink_carries(const struct netlink *nl, int lower, int ifindex);

/* The interface that holds a local address, or 0. Not per packet. */
int netlink_addr_ifindex(const struct netlink *nl, const struct ip_addr *addr);

/*
 * Per packet: true if this host would not take one from @src to @dst on
 * @ifindex, see martian.h.
 */
bool netlink_is_martian(struct netlink *nl, const struct ip_addr *src,
			const struct ip_addr *dst, int ifindex);
/* As of the last netlink_is_martian(). */
bool netlink_is_loopback(const struct netlink *nl, int ifindex);

/* Of the links that are up, loopback aside. */
uint32_t netlink_smallest_mtu(const struct netlink *nl);

/* Links, and the local IPv4 addresses, as last read. There is no event for
 * what netlink_open() found: begin with these. @fn as for events, with the
 * kind NETLINK_LINK_UP or _DOWN, or NETLINK_ADDR_NEW.
 */
void netlink_for_each_link(const struct netlink *nl, netlink_event_fn *fn,
			   void *arg);
void netlink_for_each_addr(const struct netlink *nl, netlink_event_fn *fn,
			   void *arg);

/*
 * Asks the kernel, now. -ENETUNREACH, -EHOSTUNREACH ... if there is none.
 * @src: the source the packets will carry, for policy rules; it must be an
 * address of this host. NULL: not known yet, take @out->prefsrc.
 */
int netlink_route(struct netlink *nl, const struct ip_addr *src,
		  const struct ip_addr *dst, struct route *out,
		  struct err *err);

/*
 * Per packet, O(1): how packets from @src (as in netlink_route()) to @dst
 * leave. HOP_NO_ROUTE also if @src is not, or no longer, of this host. Answers
 * come from a bounded cache that route changes empty; a miss asks the kernel,
 * at most NETLINK_QUERIES_PER_MS in a millisecond, beyond that the answer is
 * raw IP, which is always right, only slower. While a STALE neighbour is used
 * the kernel is asked to verify it (RTM_NEWNEIGH with NTF_USE), at most once a
 * second. @now_ns: monotonic.
 */
#define NETLINK_QUERIES_PER_MS 4
void netlink_hop(struct netlink *nl, const struct ip_addr *src,
		 const struct ip_addr *dst, uint64_t now_ns, struct hop *out);

/*
 * Whether a link lives. When a neighbour on it was last verified by the kernel,
 * or netlink_note_heard() said so, of the clock CLOCK_BOOTTIME; 0: never. And
 * asks some neighbours there, known and in turn, to answer the kernel now (an
 * ARP request each, at most NETLINK_ASKED of them every 10 ms).
 */
#define NETLINK_ASKED 8
/*
 * Has the kernel resolve a neighbour that is not known yet, in the name of the
 * address that suits the link: when a packet waits for it, it is asked in the
 * name of that packet's source.
 */
void netlink_resolve(struct netlink *nl, int ifindex,
		     const struct ip_addr *addr);
uint64_t netlink_heard_ns(const struct netlink *nl, int ifindex);
void netlink_note_heard(struct netlink *nl, int ifindex, uint64_t now_ns);
void netlink_ask_link(struct netlink *nl, int ifindex, uint64_t now_ns);

struct netlink_counters netlink_counters(const struct netlink *nl);

#endif
