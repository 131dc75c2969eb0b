/* SPDX-License-Identifier: MIT */
/*
 * l3.h - the network layer of a captured packet: its IPv4 header, checked
 *
 * The first step for every packet. The protocol decides who reads the rest:
 * packet_parse() or icmp_parse().
 */
#ifndef L4LB_L3_H
#define L4LB_L3_H

#include <stdint.h>

#include "core/drop.h"

#define IP_HEADER_LEN 20 /* bytes; packets with options are refused */

struct l3 {
	const uint8_t *ip; /* its header, in the capture buffer, not owned */
	uint32_t len;	   /* bytes of the packet from there on, all captured */
	uint8_t proto;
};

/*
 * Reads the packet that starts at the IP header @ip; @len bytes were captured
 * there, link-layer padding included. Returns 0 with @l3 filled in for a whole
 * packet without options that is no fragment and whose header has a right
 * checksum; else -1 with the reason in *why.
 */
int l3_parse(struct l3 *l3, const uint8_t *ip, uint32_t len,
	     enum drop_reason *why);

#endif
