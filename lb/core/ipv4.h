/* SPDX-License-Identifier: MIT */
/* ipv4.h - bytes on the wire, and checks of every IPv4 packet */
#ifndef L4LB_IPV4_H
#define L4LB_IPV4_H

#include <stdint.h>

#include "core/drop.h"

/* Network byte order, at any alignment. */
static inline uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static inline void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put32(uint8_t *p, uint32_t v)
{
	put16(p, (uint16_t)(v >> 16));
	put16(p + 2, (uint16_t)v);
}

/*
 * Checks the IP header at @ip, where @len bytes were captured: a whole packet
 * without options, no fragment, of protocol @proto (else the reason is @other).
 * Returns 0 with the length of the packet in *total, else -1 and the reason in
 * *why.
 */
int ipv4_check(const uint8_t *ip, uint32_t len, uint8_t proto,
	       enum drop_reason other, uint32_t *total, enum drop_reason *why);

#endif
