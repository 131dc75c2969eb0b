/* SPDX-License-Identifier: MIT */
/*
 * martian.h - packets that this host must refuse from an interface
 *
 * We see packets before the kernel does, hence also those that it would refuse
 * (ip_route_input_slow(), RFC 1812 section 5.3.7): from the wire, a source of
 * 127/8 or of this host itself; a source that is no single host; from the wire,
 * a destination of 127/8. A source of this host would open a flow whose answers
 * go into our own loopback, to services that listen there because nobody else
 * may reach them.
 *
 * Stricter than the kernel, which can be configured otherwise (accept_local,
 * route_localnet): what is for this host alone must come by loopback.
 *
 * No system calls: netlink.c fills the table, the tests fill it by hand.
 */
#ifndef L4LB_MARTIAN_H
#define L4LB_MARTIAN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"

#define MARTIAN_MAX  8192 /* addresses, and the same number of broadcasts */
#define MARTIAN_BITS 4096

/* IPv4 addresses in host byte order. */
struct martian_table {
	uint32_t n_own, n_broadcast;
	uint32_t own[MARTIAN_MAX]; /* this array and the next are sorted */
	uint32_t broadcast[MARTIAN_MAX]; /* of our networks */
	/*
	 * A filter: an address whose bit is 0 is in neither array. That is so
	 * for nearly every packet.
	 */
	uint64_t maybe[MARTIAN_BITS / 64];
};

/* Clear, add all, then sort. Addresses beyond MARTIAN_MAX are ignored. */
void martian_clear(struct martian_table *t);
void martian_add(struct martian_table *t, const struct ip_addr *own,
		 unsigned prefix_len);
void martian_sort(struct martian_table *t);

/*
 * True if a packet from @src to @dst must not come by this interface.
 * @by_loopback: the interface is lo. One memory access for nearly all packets,
 * else a binary search.
 */
bool martian(const struct martian_table *t, const struct ip_addr *src,
	     const struct ip_addr *dst, bool by_loopback);

#endif
