/* SPDX-License-Identifier: MIT */
#include "core/csum.h"
#include "core/bytes.h"
#include "core/l3.h"

/* Offsets in the IPv4 header (RFC 791). */
enum { IP_TOTAL_LEN = 2, IP_FRAG = 6, IP_PROTO = 9 };

#define IP_FRAG_MASK 0x3fff /* offset, More Fragments; not Don't Fragment */

static int refuse(enum drop_reason *out, enum drop_reason why)
{
	*out = why;
	return -1;
}

int l3_parse(struct l3 *l3, const uint8_t *ip, uint32_t len,
	     enum drop_reason *why)
{
	uint32_t total;

	if (len < IP_HEADER_LEN)
		return refuse(why, DROP_TRUNCATED);
	if (ip[0] >> 4 != 4)
		return refuse(why, DROP_NOT_IPV4);
	if ((ip[0] & 0x0f) < 5)
		return refuse(why, DROP_BAD_IP);
	if ((ip[0] & 0x0f) > 5)
		return refuse(why, DROP_IP_OPTIONS);
	total = get16(ip + IP_TOTAL_LEN);
	if (total < IP_HEADER_LEN)
		return refuse(why, DROP_BAD_IP);
	if (total > len)
		return refuse(why, DROP_TRUNCATED);
	if (csum_fold(csum_add(0, ip, IP_HEADER_LEN)) != 0xffff)
		return refuse(why, DROP_BAD_IP);
	if (get16(ip + IP_FRAG) & IP_FRAG_MASK)
		return refuse(why, DROP_FRAGMENT);
	*l3 = (struct l3){.ip = ip, .len = total, .proto = ip[IP_PROTO]};
	return 0;
}
