/* SPDX-License-Identifier: MIT */
/*
 * maglev.h - a table that gives each backend its share of all clients, and
 * changes little when the backends do
 *
 * After Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load
 * Balancer" (NSDI 2016), section 3.4. Each member has a permutation of all
 * places, which follows from its token, and takes the next free one of it
 * whenever it is its turn; weights decide how often that is. Members are
 * ordered by their tokens, so the table depends on who the members are and not
 * on how they are listed: several balancers have the same one.
 */
#ifndef L4LB_MAGLEV_H
#define L4LB_MAGLEV_H

#include <stdint.h>

#define MAGLEV_PLACES	   16381 /* a prime */
#define MAGLEV_MEMBERS_MAX 256

struct maglev_member {
	uint64_t token;	 /* hash of what the member is */
	uint32_t weight; /* at least 1 */
	uint16_t value;	 /* in the table; below MAGLEV_PLACES */
};

/* Sorts @members; @n is from 1 to MAGLEV_MEMBERS_MAX. Takes half a ms. */
void maglev_build(uint16_t table[MAGLEV_PLACES], struct maglev_member *members,
		  unsigned n);

#endif
