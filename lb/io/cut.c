/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <string.h>

#include "core/csum.h"
#include "core/bytes.h"
#include "io/cut.h"

/* Offsets from the start of the IP header */
enum {
	AT_IP_LEN = 2,
	AT_IP_ID = 4,
	AT_IP_CSUM = 10,
	AT_TCP_SEQ = IP_HEADER_LEN + 4,
	AT_TCP_FLAGS = IP_HEADER_LEN + 13,
};

void cut_start(struct cut *cut, const struct packet *whole, uint32_t size)
{
	assert(size > 0);
	*cut = (struct cut){.whole = whole, .size = size};
}

bool cut_next(struct cut *cut, struct packet *piece)
{
	uint32_t left = cut->whole->payload_len - cut->done;
	uint8_t *hdr = piece->hdr;
	uint16_t id, check;
	uint8_t flags;

	if (left == 0)
		return false;
	*piece = *cut->whole;
	piece->payload = cut->whole->payload + cut->done;
	piece->payload_len = left < cut->size ? left : cut->size;

	id = (uint16_t)(hdr[AT_IP_ID] << 8 | hdr[AT_IP_ID + 1]);
	put16(hdr + AT_IP_ID, (uint16_t)(id + cut->pieces));
	put16(hdr + AT_IP_LEN, (uint16_t)packet_len(piece));
	put32(hdr + AT_TCP_SEQ, cut->whole->tcp.seq + cut->done);
	flags = cut->whole->tcp.flags;
	if (cut->done + piece->payload_len < cut->whole->payload_len)
		flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	if (cut->done > 0)
		flags &= (uint8_t)~TCP_CWR;
	hdr[AT_TCP_FLAGS] = flags;

	memset(hdr + AT_IP_CSUM, 0, 2);
	check = (uint16_t)~csum_fold(csum_add(0, hdr, IP_HEADER_LEN));
	memcpy(hdr + AT_IP_CSUM, &check, 2);
	packet_partial_csum(piece);
	packet_complete_csum(piece);

	cut->done += piece->payload_len;
	cut->pieces++;
	return true;
}

void cut_syn(struct packet *p, uint32_t size)
{
	struct packet whole;
	struct cut cut;

	if (!(p->tcp.flags & TCP_SYN) || p->payload_len <= size)
		return;
	whole = *p;
	cut_start(&cut, &whole, size);
	(void)cut_next(&cut, p);
}
