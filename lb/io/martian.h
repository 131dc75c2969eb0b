/* SPDX-License-Identifier: MIT */
/*
 * martian.h - packets that this host would not take where they come in
 *
 * We see what comes before the kernel does, and so what it would refuse
 * (ip_route_input_slow(), RFC 1812 section 5.3.7): a source of 127/8 or of this
 * host's own from the wire, a source that is no single host, a destination of
 * 127/8 from the wire. Taken, the first would open a flow whose answers go into
 * our own loopback, to services that listen there because nobody else is to
 * reach them.
 *
 * Stricter than the kernel where it can be told otherwise (accept_local,
 * route_localnet): what is for this host alone comes by its loopback.
 *
 * No system calls: netlink.c fills the table, the tests do so by hand.
 */
#ifndef L4LB_MARTIAN_H
#define L4LB_MARTIAN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"

#define MARTIAN_MAX  8192 /* addresses, and as many broadcasts */
#define MARTIAN_BITS 4096

/* IPv4 addresses in host byte order. */
struct martian_table {
	uint32_t n_own, n_broadcast;
	uint32_t own[MARTIAN_MAX];	 /* both sorted */
	uint32_t broadcast[MARTIAN_MAX]; /* of the networks they are in */
	/* A bit for each of both by its hash: what is not here is in neither,
	 * as nearly all that comes.
	 */
	uint64_t maybe[MARTIAN_BITS / 64];
};

/* Add all, then sort. One too many is not remembered. */
void martian_clear(struct martian_table *t);
void martian_add(struct martian_table *t, const struct ip_addr *own,
		 unsigned prefix_len);
void martian_sort(struct martian_table *t);

/*
 * True if a packet from @src to @dst cannot come by an interface, which is the
 * loopback or another. One look at memory for nearly all, else a step for each
 * doubling of the addresses.
 */
bool martian(const struct martian_table *t, const struct ip_addr *src,
	     const struct ip_addr *dst, bool by_loopback);

#endif
