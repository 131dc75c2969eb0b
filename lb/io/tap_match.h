/* SPDX-License-Identifier: MIT */
/*
 * tap_match.h - which packets are for us
 *
 * By destination only: a service; our addresses with the NAT range; ICMP errors
 * and fragments to either (design rule 12). So a change of backends does not
 * change it. tap_program.h makes the kernel's filter of it. Pure.
 */
#ifndef L4LB_TAP_MATCH_H
#define L4LB_TAP_MATCH_H

#include <stdbool.h>

#include "core/addr.h"

/*
 * The one ring is for clients' SYNs of at most TAP_SYN_MAX bytes, the other for
 * everything else. No packet comes by both.
 */
enum tap_ring { TAP_FLOWS, TAP_SYNS, TAP_RINGS };
#define TAP_SYN_MAX 1600 /* IP bytes of a SYN for the ring of SYNs */

/* Arrays may hold duplicates, and may be empty. All addresses are IPv4. */
struct tap_match {
	const struct endpoint *services;
	unsigned n_services;
	const struct ip_addr *sources; /* our addresses toward backends */
	unsigned n_sources;
	uint16_t nat_lo, nat_hi; /* host byte order, inclusive */
};

/* Copies the arrays, too. -ENOMEM: *@to is empty. */
int tap_match_copy(struct tap_match *to, const struct tap_match *from);
/* Frees the arrays of a copy. */
void tap_match_free(struct tap_match *m);

/* The interfaces that count, if the user named some. */
#define TAP_LINKS_MAX 64

/* Zeroed: any interface. */
struct tap_links {
	bool only; /* only these links; no packet at all if there are none */
	unsigned n;
	int ifindex[TAP_LINKS_MAX];
};

bool tap_links_have(const struct tap_links *l, int ifindex);
bool tap_links_equal(const struct tap_links *a, const struct tap_links *b);

#endif
