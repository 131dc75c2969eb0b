/* SPDX-License-Identifier: MIT */
/*
 * rtmsg.h - reads and writes rtnetlink messages
 *
 * Converts bytes to structs and back; no system calls. Readers return false for
 * a message that does not matter: of another address family, or cut short.
 */
#ifndef L4LB_RTMSG_H
#define L4LB_RTMSG_H

#include <libmnl/libmnl.h>
#include <stdbool.h>

#include "net/links.h"
#include "net/neigh.h"
#include "net/netlink.h"

/*
 * 0 if the message is not about the link itself: a bridge sends RTM_DELLINK of
 * its own family when a port leaves it, and the link remains.
 */
int rtmsg_link_index(const struct nlmsghdr *nlh);

/*
 * Sets the fields that the message has, and leaves the others of @link as they
 * are: some notifications (wireless events) are incomplete.
 */
void rtmsg_read_link(const struct nlmsghdr *nlh, struct link *link);

bool rtmsg_read_addr(const struct nlmsghdr *nlh, struct link_addr *addr);

/* @mac is NULL if it is unknown. */
bool rtmsg_read_neigh(const struct nlmsghdr *nlh, struct neigh_key *key,
		      uint16_t *state, const uint8_t **mac);

/* True if an IPv4 route, policy rule or next hop comes, goes or changes. */
bool rtmsg_moves_routes(const struct nlmsghdr *nlh);

/*
 * Reads the answer to rtmsg_ask_route(). mtu 0: the route has none. False also
 * for broadcast and multicast.
 */
bool rtmsg_read_route(const struct nlmsghdr *nlh, struct route *route);

#define RTMSG_REQUEST 128 /* bytes; the size of each of these requests */

/* Requests, IPv4 only. The sender sets the sequence number. */
struct nlmsghdr *rtmsg_ask_route(void *buf, const struct ip_addr *src,
				 const struct ip_addr *dst);
struct nlmsghdr *rtmsg_use_neigh(void *buf, const struct neigh_key *key);
/* Like rtmsg_use_neigh(), but creates the entry if there is none. */
struct nlmsghdr *rtmsg_resolve_neigh(void *buf, const struct neigh_key *key);
/*
 * Makes the kernel ask the neighbour at once, by unicast; rtmsg_use_neigh()
 * lets it wait 5 s if the neighbour is STALE.
 */
struct nlmsghdr *rtmsg_probe_neigh(void *buf, const struct neigh_key *key);

#endif
