/* SPDX-License-Identifier: MIT */
/*
 * fix_icmp.h - right checksums for an ICMP message that the fuzzer changed
 *
 * Those of the outer IP header and of the message; a quote's are its sender's.
 */
#ifndef L4LB_FIX_ICMP_H
#define L4LB_FIX_ICMP_H

#include "core/icmp.h"
#include "core/packet.h"
#include "frames.h"

static inline void fix_icmp(uint8_t *ip, uint32_t len)
{
	uint32_t total;

	if (len < IP_HEADER_LEN + ICMP_HEADER_LEN)
		return;
	total = frame_get16(ip + 2);
	if (total < IP_HEADER_LEN + ICMP_HEADER_LEN || total > len)
		total = len;
	frame_put16(ip + 10, 0);
	frame_put16(ip + 10, (uint16_t)~frame_sum(ip, IP_HEADER_LEN));
	ip += IP_HEADER_LEN;
	frame_put16(ip + 2, 0);
	frame_put16(ip + 2, (uint16_t)~frame_sum(ip, total - IP_HEADER_LEN));
}

#endif
