/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "core/csum.h"
#include "io/merge.h"

/* Offsets from the start of the IP header */
enum {
	AT_IP_TOS = 1,
	AT_IP_LEN = 2,
	AT_IP_FRAG = 6,
	AT_IP_TTL = 8,
	AT_IP_CSUM = 10,
	AT_IP_ADDRS = 12,
	AT_PORTS = IP_HEADER_LEN,
	AT_TCP_FLAGS = IP_HEADER_LEN + 13,
	AT_TCP_WINDOW = IP_HEADER_LEN + 14,
	AT_TCP_OPTIONS = IP_HEADER_LEN + TCP_HEADER_MIN,
};

static bool is_plain_data(const struct packet *p)
{
	return p->payload_len > 0 &&
	       (p->tcp.flags & (uint8_t)~TCP_PSH) == TCP_ACK;
}

void merge_start(struct merge *m, struct packet *p, uint32_t size)
{
	*m = (struct merge){
		.first = p,
		.open = is_plain_data(p) && !(p->tcp.flags & TCP_PSH) &&
			p->payload_len <= size,
		.next_seq = p->tcp.seq + p->payload_len,
		.size = p->payload_len,
		.segments = 1,
	};
}

bool merge_same_flow(const struct packet *a, const struct packet *b)
{
	return memcmp(a->hdr + AT_IP_ADDRS, b->hdr + AT_IP_ADDRS, 12) == 0;
}

static bool same_header(const struct packet *a, const struct packet *b)
{
	return a->hdr_len == b->hdr_len && a->tcp.ack == b->tcp.ack &&
	       a->hdr[AT_IP_TOS] == b->hdr[AT_IP_TOS] &&
	       a->hdr[AT_IP_TTL] == b->hdr[AT_IP_TTL] &&
	       memcmp(a->hdr + AT_IP_FRAG, b->hdr + AT_IP_FRAG, 2) == 0 &&
	       memcmp(a->hdr + AT_TCP_WINDOW, b->hdr + AT_TCP_WINDOW, 2) == 0 &&
	       memcmp(a->hdr + AT_TCP_OPTIONS, b->hdr + AT_TCP_OPTIONS,
		      (size_t)(a->hdr_len - AT_TCP_OPTIONS)) == 0;
}

bool merge_add(struct merge *m, const struct packet *p)
{
	struct packet *first = m->first;

	if (!m->open || !is_plain_data(p) || m->segments == MERGE_MAX ||
	    p->tcp.seq != m->next_seq || p->payload_len > m->size ||
	    packet_len(first) + p->payload_len > UINT16_MAX ||
	    !same_header(first, p))
		return false;
	first->payload_len += p->payload_len;
	first->tcp.flags |= p->tcp.flags & TCP_PSH;
	first->hdr[AT_TCP_FLAGS] = first->tcp.flags;
	m->next_seq += p->payload_len;
	m->segments++;
	/* The cut can restore a short segment or a PSH only as the last one. */
	if (p->payload_len < m->size || (p->tcp.flags & TCP_PSH))
		m->open = false;
	return true;
}

void merge_finish(struct merge *m)
{
	struct packet *p = m->first;
	uint16_t len = (uint16_t)packet_len(p), check;

	p->hdr[AT_IP_LEN] = (uint8_t)(len >> 8);
	p->hdr[AT_IP_LEN + 1] = (uint8_t)len;
	memset(p->hdr + AT_IP_CSUM, 0, 2);
	check = (uint16_t)~csum_fold(csum_add(0, p->hdr, IP_HEADER_LEN));
	memcpy(p->hdr + AT_IP_CSUM, &check, 2);
	packet_partial_csum(p);
	m->open = false;
}
