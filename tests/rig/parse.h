/* SPDX-License-Identifier: MIT */
/* parse.h - from captured bytes to a packet, as io/forward.c does it */
#ifndef L4LB_PARSE_H
#define L4LB_PARSE_H

#include "core/icmp.h"
#include "core/l3.h"
#include "core/packet.h"

static inline int parse_packet(struct packet *p, const uint8_t *ip,
			       uint32_t len, enum drop_reason *why)
{
	struct l3 l3;

	if (l3_parse(&l3, ip, len, why))
		return -1;
	if (l3.proto == PACKET_PROTO_TCP)
		return packet_parse(p, &l3, why);
	*why = DROP_NOT_TCP;
	return -1;
}

static inline int parse_icmp(struct icmp_error *m, const uint8_t *ip,
			     uint32_t len, enum drop_reason *why)
{
	struct l3 l3;

	if (l3_parse(&l3, ip, len, why))
		return -1;
	if (l3.proto == ICMP_PROTO)
		return icmp_parse(m, &l3, why);
	*why = DROP_ICMP_OTHER;
	return -1;
}

#endif
