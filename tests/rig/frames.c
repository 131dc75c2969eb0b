/* SPDX-License-Identifier: MIT */
/* frames.c - see frames.h; slow and obvious on purpose */
#include "frames.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

uint16_t frame_get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

uint32_t frame_get32(const uint8_t *at)
{
	return (uint32_t)frame_get16(at) << 16 | frame_get16(at + 2);
}

void frame_put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

void frame_put32(uint8_t *at, uint32_t value)
{
	frame_put16(at, value >> 16);
	frame_put16(at + 2, value & 0xffff);
}

struct ip_addr frame_addr(const char *addr)
{
	struct in_addr in;
	int ok = inet_pton(AF_INET, addr, &in);

	assert(ok == 1);
	return addr_from_v4(in.s_addr);
}

struct endpoint frame_endpoint(const char *addr, uint16_t port)
{
	return (struct endpoint){frame_addr(addr), htons(port)};
}

static uint32_t add_words(uint32_t sum, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? data[i] : (uint32_t)data[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

uint16_t frame_sum(const void *data, size_t len)
{
	return (uint16_t)add_words(0, data, len);
}

/* RFC 9293 section 3.1: addresses, zero, protocol, TCP length */
static uint16_t pseudo_sum(const uint8_t *ip, uint32_t tcp_len)
{
	uint8_t pseudo[12] = {0};

	memcpy(pseudo, ip + 12, 8);
	pseudo[9] = 6;
	frame_put16(pseudo + 10, tcp_len);
	return frame_sum(pseudo, sizeof(pseudo));
}

static uint16_t tcp_sum(const uint8_t *ip, uint32_t hdr_len, uint32_t len)
{
	uint32_t sum = pseudo_sum(ip, len - hdr_len);

	return (uint16_t)add_words(sum, ip + hdr_len, len - hdr_len);
}

static uint8_t pattern(uint32_t seq)
{
	return (uint8_t)(seq * 2654435761u >> 24);
}

static void build_ip(const struct frame *f, uint8_t *ip, uint32_t len)
{
	memset(ip, 0, 20);
	ip[0] = 0x45;
	ip[1] = f->tos;
	frame_put16(ip + 2, len);
	frame_put16(ip + 4, f->id);
	ip[6] = 0x40; /* don't fragment */
	ip[8] = f->ttl ? f->ttl : FRAME_TTL;
	ip[9] = 6;
	memcpy(ip + 12, f->src.addr.b + 12, 4);
	memcpy(ip + 16, f->dst.addr.b + 12, 4);
	frame_put16(ip + 10, (uint16_t)~frame_sum(ip, 20));
}

static void build_tcp(const struct frame *f, uint8_t *tcp)
{
	memset(tcp, 0, 20);
	memcpy(tcp, &f->src.port, 2);
	memcpy(tcp + 2, &f->dst.port, 2);
	frame_put32(tcp + 4, f->seq);
	frame_put32(tcp + 8, f->ack);
	tcp[12] = (uint8_t)((20 + f->options_len) / 4 << 4);
	tcp[13] = f->flags;
	frame_put16(tcp + 14, f->window);
	if (f->options_len)
		memcpy(tcp + 20, f->options, f->options_len);
}

uint32_t frame_build(const struct frame *f, uint8_t *out)
{
	uint32_t len = FRAME_HEADERS + f->options_len + f->payload_len;
	uint8_t *tcp = out + 20, *payload = tcp + 20 + f->options_len;
	uint16_t right;

	assert(len <= FRAME_MAX);
	assert(f->options_len <= 40);
	assert(f->options_len % 4 == 0);
	build_ip(f, out, len);
	build_tcp(f, tcp);
	if (f->payload)
		memcpy(payload, f->payload, f->payload_len);
	for (uint32_t i = 0; !f->payload && i < f->payload_len; i++)
		payload[i] = pattern(f->seq + i);

	right = (uint16_t)~tcp_sum(out, 20, len);
	switch (f->csum) {
	case FRAME_FULL: frame_put16(tcp + 16, right); break;
	case FRAME_PARTIAL:
		frame_put16(tcp + 16, pseudo_sum(out, len - 20));
		break;
	case FRAME_WRONG: frame_put16(tcp + 16, right ^ 0x0104); break;
	}
	return len;
}

bool frame_csum_is(enum frame_csum kind, const uint8_t *ip, uint32_t len)
{
	bool full = tcp_sum(ip, 20, len) == 0xffff;
	bool partial = frame_get16(ip + 36) == pseudo_sum(ip, len - 20);

	switch (kind) {
	case FRAME_FULL: return full;
	case FRAME_PARTIAL: return partial;
	case FRAME_WRONG: return !full && !partial;
	}
	return false;
}

static enum frame_csum csum_of(const uint8_t *ip, uint32_t len)
{
	if (frame_csum_is(FRAME_FULL, ip, len))
		return FRAME_FULL;
	return frame_csum_is(FRAME_PARTIAL, ip, len) ? FRAME_PARTIAL
						     : FRAME_WRONG;
}

bool frame_read(struct frame *f, const uint8_t *ip, uint32_t len)
{
	const uint8_t *tcp = ip + 20;
	uint32_t tcp_hdr_len;

	memset(f, 0, sizeof(*f));
	if (len < FRAME_HEADERS || ip[0] != 0x45 ||
	    frame_get16(ip + 2) != len || ip[9] != 6 ||
	    frame_sum(ip, 20) != 0xffff)
		return false;
	tcp_hdr_len = (uint32_t)(tcp[12] >> 4) * 4;
	if (tcp_hdr_len < 20 || 20 + tcp_hdr_len > len)
		return false;

	f->tos = ip[1];
	f->id = frame_get16(ip + 4);
	f->ttl = ip[8];
	f->src = (struct endpoint){.addr.b = {[10] = 0xff, [11] = 0xff}};
	f->dst = f->src;
	memcpy(f->src.addr.b + 12, ip + 12, 4);
	memcpy(f->dst.addr.b + 12, ip + 16, 4);
	memcpy(&f->src.port, tcp, 2);
	memcpy(&f->dst.port, tcp + 2, 2);
	f->seq = frame_get32(tcp + 4);
	f->ack = frame_get32(tcp + 8);
	f->flags = tcp[13];
	f->window = frame_get16(tcp + 14);
	f->options = tcp + 20;
	f->options_len = tcp_hdr_len - 20;
	f->payload = tcp + tcp_hdr_len;
	f->payload_len = len - 20 - tcp_hdr_len;
	f->csum = csum_of(ip, len);
	return true;
}

bool frame_payload_kept(const struct frame *f)
{
	for (uint32_t i = 0; i < f->payload_len; i++)
		if (f->payload[i] != pattern(f->seq + i))
			return false;
	return true;
}

uint32_t frame_seq_len(const struct frame *f)
{
	return f->payload_len + !!(f->flags & SYN) + !!(f->flags & FIN);
}

void frame_fix_csums(uint8_t *ip, uint32_t len)
{
	uint32_t hdr_len, total;

	if (len < 20)
		return;
	hdr_len = (uint32_t)(ip[0] & 15) * 4;
	total = frame_get16(ip + 2);
	if (hdr_len < 20 || hdr_len > len)
		return;
	frame_put16(ip + 10, 0);
	frame_put16(ip + 10, (uint16_t)~frame_sum(ip, hdr_len));
	if (total > len || total < hdr_len + 20)
		return;
	frame_put16(ip + hdr_len + 16, 0);
	frame_put16(ip + hdr_len + 16, (uint16_t)~tcp_sum(ip, hdr_len, total));
}
