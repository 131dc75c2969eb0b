/* SPDX-License-Identifier: MIT */
/*
 * guard_count.h - what the guard took from the kernel and no capture saw
 *
 * Both count the same packets, one after the other: captured by the tap, then
 * dropped by the guard. More is captured than dropped (ICMP errors, what the
 * kernel refuses in between); more dropped than captured means that packets
 * for us come by a way that no tap sees, and are lost. This host's own NAT may
 * turn them to a service, or IPsec in transport mode unpack them behind the
 * tap.
 */
#ifndef L4LB_GUARD_COUNT_H
#define L4LB_GUARD_COUNT_H

#include <stdbool.h>
#include <stdint.h>

struct mnl_socket;

/*
 * Packets that the guard @name has dropped since it was put up. @nl: a bound
 * NETLINK_NETFILTER socket that nothing else is under way on. False: not to be
 * had just now.
 */
bool guard_count(struct mnl_socket *nl, const char *name, uint64_t *packets);

/* Two packets may be between tap and guard while one of them is asked. */
#define GUARD_COUNT_BETWEEN    16
#define GUARD_COUNT_BETWEEN_OF 1000 /* and one of so many */

struct guard_balance {
	bool begun;
	uint64_t dropped, captured; /* when they were looked at last */
	uint64_t taken, uncaptured; /* in all */
};

/*
 * Packets that were dropped and not captured since the last call. Either count
 * may begin anew: then this interval is left out.
 */
uint64_t guard_balance(struct guard_balance *b, uint64_t dropped,
		       uint64_t captured);

#endif
