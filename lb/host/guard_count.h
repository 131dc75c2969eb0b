/* SPDX-License-Identifier: MIT */
/*
 * guard_count.h - finds packets that the guard dropped and no capture saw
 *
 * Tap and guard count the same packets, one after the other: the tap captures a
 * packet, and the guard drops it. The tap may count more (ICMP errors, packets
 * that the kernel refuses in between). If the guard counts more, packets for us
 * come by a way that no tap sees, and are lost: this host's own NAT may
 * redirect them to a service, or IPsec in transport mode may decrypt them
 * behind the tap.
 */
#ifndef L4LB_GUARD_COUNT_H
#define L4LB_GUARD_COUNT_H

#include <stdbool.h>
#include <stdint.h>

struct mnl_socket;

/*
 * Sets @packets to the number that guard @name has dropped since it was
 * installed. @nl: a bound NETLINK_NETFILTER socket without a request in flight.
 * Returns false if the kernel gave no answer now.
 */
bool guard_count(struct mnl_socket *nl, const char *name, uint64_t *packets);

/* Packets between tap and guard while one of the two is read: this many, */
#define GUARD_COUNT_BETWEEN    16
#define GUARD_COUNT_BETWEEN_OF 1000 /* and one in this many */

struct guard_balance {
	bool begun;
	uint64_t dropped, captured; /* the counts of the last call */
	uint64_t taken, uncaptured; /* totals */
};

/*
 * Returns how many packets were dropped but not captured since the last call.
 * Either count may restart from 0: that interval is left out.
 */
uint64_t guard_balance(struct guard_balance *b, uint64_t dropped,
		       uint64_t captured);

#endif
