/* SPDX-License-Identifier: MIT */
/*
 * rtmsg.h - rtnetlink messages, read and written
 *
 * Bytes to structs and back, no system calls. Readers say false for a message
 * of no interest: another address family, or one cut short.
 */
#ifndef L4LB_RTMSG_H
#define L4LB_RTMSG_H

#include <libmnl/libmnl.h>
#include <stdbool.h>

#include "io/iface.h"
#include "io/neigh.h"
#include "io/netlink.h"

/* 0 if it is not about a link as such: bridges send RTM_DELLINK of a family
 * of their own when a port leaves them, and the link lives on.
 */
int rtmsg_link_index(const struct nlmsghdr *nlh);

/* Fills in what the message has and leaves the rest of @link as it is: some
 * notifications (wireless events) tell only half.
 */
void rtmsg_read_link(const struct nlmsghdr *nlh, struct link *link);

bool rtmsg_read_addr(const struct nlmsghdr *nlh, struct iface_addr *addr);

/* @mac NULL: not known */
bool rtmsg_read_neigh(const struct nlmsghdr *nlh, struct neigh_key *key,
		      uint16_t *state, const uint8_t **mac);

/* Does an IPv4 route, policy rule or next hop come, go or change? */
bool rtmsg_moves_routes(const struct nlmsghdr *nlh);

/* The answer to rtmsg_ask_route(). mtu 0: the route says none. False also for
 * broadcast and multicast.
 */
bool rtmsg_read_route(const struct nlmsghdr *nlh, struct route *route);

#define RTMSG_REQUEST 128 /* bytes, of each of these */

/* Requests; the sequence number is for the sender to set. IPv4 only. */
struct nlmsghdr *rtmsg_ask_route(void *buf, const struct ip_addr *src,
				 const struct ip_addr *dst);
struct nlmsghdr *rtmsg_use_neigh(void *buf, const struct neigh_key *key);
/* The same, and it is known from then on. */
struct nlmsghdr *rtmsg_resolve_neigh(void *buf, const struct neigh_key *key);
/* It is asked at once, by unicast; the other waits 5 s for a STALE one. */
struct nlmsghdr *rtmsg_probe_neigh(void *buf, const struct neigh_key *key);

#endif
