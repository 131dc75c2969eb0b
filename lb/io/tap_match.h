/* SPDX-License-Identifier: MIT */
/*
 * tap_match.h - which packets are for us, as pcap expressions
 *
 * By destination only: a service; our addresses with the NAT range; ICMP errors
 * and fragments to either (design rule 12). tap_filter.h makes the kernel's
 * program of it. Pure.
 */
#ifndef L4LB_TAP_MATCH_H
#define L4LB_TAP_MATCH_H

#include "core/addr.h"

#define TAP_SYN_MAX 1600 /* IP bytes of a SYN for the ring of SYNs */

struct tap_match {
	const struct endpoint *services;
	unsigned n_services;
	const struct ip_addr *sources; /* our addresses toward backends */
	unsigned n_sources;
	uint16_t nat_lo, nat_hi; /* host byte order */
};

/*
 * The one is for clients' SYNs of at most TAP_SYN_MAX bytes, the other for
 * everything else. The caller frees the text. NULL: out of memory.
 */
char *tap_match_syns(const struct tap_match *m);
char *tap_match_flows(const struct tap_match *m);

#endif
