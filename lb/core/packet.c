/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "core/csum.h"
#include "core/bytes.h"
#include "core/packet.h"

/* Offsets in the IPv4 header (RFC 791) and the TCP header (RFC 9293). */
enum {
	IP_TTL = 8,
	IP_CSUM = 10,
	IP_SRC = 12,
	IP_DST = 16,
	TCP_SPORT = 0,
	TCP_DPORT = 2,
	TCP_SEQ = 4,
	TCP_ACKNO = 8,
	TCP_OFFSET = 12,
	TCP_FLAGS = 13,
	TCP_WINDOW = 14,
	TCP_CSUM = 16,
};

enum {
	TCPOPT_END = 0,
	TCPOPT_NOP = 1,
	TCPOPT_MSS = 2,
	TCPOPT_WSCALE = 3,
	TCPOPT_MPTCP = 30
};
enum { MPTCP_JOIN = 1 }; /* RFC 8684: subtype, upper 4 bits */

/* Sum of the pseudo-header of RFC 9293 section 3.1 */
static uint64_t pseudo_sum(const uint8_t *ip, uint32_t tcp_len)
{
	const uint8_t tail[4] = {0, PACKET_PROTO_TCP, (uint8_t)(tcp_len >> 8),
				 (uint8_t)tcp_len};

	return csum_add(csum_add(0, ip + IP_SRC, 8), tail, sizeof(tail));
}

/*
 * Moves *@i to the next option and returns its length; 0 if none is left. An
 * impossible length ends the walk; options read before remain valid.
 */
static unsigned find_option(const uint8_t *opt, unsigned len, unsigned *i)
{
	unsigned size;

	while (*i < len && opt[*i] == TCPOPT_NOP)
		++*i;
	if (*i + 1 >= len || opt[*i] == TCPOPT_END)
		return 0;
	size = opt[*i + 1];
	return size < 2 || *i + size > len ? 0 : size;
}

static void read_syn_options(struct tcp_segment *tcp, const uint8_t *opt,
			     unsigned len)
{
	unsigned i = 0, size;

	for (; (size = find_option(opt, len, &i)) > 0; i += size) {
		if (opt[i] == TCPOPT_MSS && size == 4)
			tcp->mss = get16(opt + i + 2);
		else if (opt[i] == TCPOPT_WSCALE && size == 3)
			tcp->wscale = opt[i + 2] > TCP_WSCALE_MAX
					      ? TCP_WSCALE_MAX
					      : opt[i + 2];
	}
}

static int refuse(enum drop_reason *out, enum drop_reason why)
{
	*out = why;
	return -1;
}

/*
 * False for flags that no TCP sends: none of SYN, ACK and RST; or more than one
 * of SYN, FIN and RST. They would only probe the backends' TCP. PSH, URG, ECE
 * and CWR do not matter.
 */
static bool flags_can_be(uint8_t flags)
{
	const uint8_t one = flags & (TCP_SYN | TCP_FIN | TCP_RST);

	return (flags & (TCP_SYN | TCP_ACK | TCP_RST)) && !(one & (one - 1));
}

int packet_parse(struct packet *p, const struct l3 *l3, enum drop_reason *why)
{
	const uint8_t *ip = l3->ip, *tcp = ip + IP_HEADER_LEN;
	const uint32_t tcp_len = l3->len - IP_HEADER_LEN;
	uint32_t header, v4;
	uint64_t pseudo;
	uint16_t check;

	if (tcp_len < TCP_HEADER_MIN)
		return refuse(why, DROP_BAD_TCP);
	header = (uint32_t)(tcp[TCP_OFFSET] >> 4) * 4;
	if (header < TCP_HEADER_MIN || header > tcp_len ||
	    !flags_can_be(tcp[TCP_FLAGS]))
		return refuse(why, DROP_BAD_TCP);

	/* The cheap test first: on virtual links most checksums are partial,
	 * and then the payload need not be read at all.
	 */
	pseudo = pseudo_sum(ip, tcp_len);
	memcpy(&check, tcp + TCP_CSUM, sizeof(check));
	if (check == csum_fold(pseudo))
		p->csum = CSUM_PARTIAL;
	else if (csum_fold(csum_add(pseudo, tcp, tcp_len)) == 0xffff)
		p->csum = CSUM_FULL;
	else
		return refuse(why, DROP_BAD_CHECKSUM);

	p->hdr_len = (uint16_t)(IP_HEADER_LEN + header);
	memcpy(p->hdr, ip, p->hdr_len);
	p->payload = tcp + header;
	p->payload_len = tcp_len - header;

	memset(&p->key, 0, sizeof(p->key));
	memcpy(&v4, ip + IP_SRC, sizeof(v4));
	p->key.pair.src.addr = addr_from_v4(v4);
	memcpy(&v4, ip + IP_DST, sizeof(v4));
	p->key.pair.dst.addr = addr_from_v4(v4);
	memcpy(&p->key.pair.src.port, tcp + TCP_SPORT, 2);
	memcpy(&p->key.pair.dst.port, tcp + TCP_DPORT, 2);
	p->key.proto = PACKET_PROTO_TCP;

	p->tcp.seq = get32(tcp + TCP_SEQ);
	p->tcp.ack = get32(tcp + TCP_ACKNO);
	p->tcp.flags = tcp[TCP_FLAGS];
	p->tcp.window = get16(tcp + TCP_WINDOW);
	p->tcp.len = p->payload_len;
	p->tcp.wscale = TCP_NO_WSCALE;
	p->tcp.mss = 0;
	if (p->tcp.flags & TCP_SYN)
		read_syn_options(&p->tcp, tcp + TCP_HEADER_MIN,
				 header - TCP_HEADER_MIN);
	p->out_mss = 0;
	p->out_mtu = 0;
	p->to_backend = false;
	p->ifindex = 0;
	return 0;
}

/* Replaces @len bytes, a multiple of 4; returns their ~m + m' (RFC 1624). */
static uint64_t replace(uint8_t *at, const void *with, size_t len)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < len; i += 4) {
		uint32_t was, is;

		memcpy(&was, at + i, sizeof(was));
		memcpy(&is, (const uint8_t *)with + i, sizeof(is));
		sum += (uint32_t)~was;
		sum += is;
		memcpy(at + i, &is, sizeof(is));
	}
	return sum;
}

/* RFC 1624: HC' = ~(~HC + ~m + m'), for any number of words at once. */
static void mend_csum(uint8_t *at, uint64_t difference)
{
	uint16_t check;

	memcpy(&check, at, sizeof(check));
	check = (uint16_t)~csum_fold((uint16_t)~check + difference);
	memcpy(at, &check, sizeof(check));
}

void packet_rewrite(struct packet *p, const struct endpoint *src,
		    const struct endpoint *dst)
{
	uint8_t *ip = p->hdr, *tcp = p->hdr + IP_HEADER_LEN;
	const uint16_t ports[2] = {src->port, dst->port};
	uint16_t was, is;
	uint64_t addrs;

	addrs = replace(ip + IP_SRC, src->addr.b + 12, 4);
	addrs += replace(ip + IP_DST, dst->addr.b + 12, 4);

	memcpy(&was, ip + IP_TTL, sizeof(was));
	ip[IP_TTL]--;
	memcpy(&is, ip + IP_TTL, sizeof(is));
	mend_csum(ip + IP_CSUM, addrs + (uint16_t)~was + is);

	if (p->csum == CSUM_FULL) {
		mend_csum(tcp + TCP_CSUM,
			  addrs + replace(tcp + TCP_SPORT, ports, 4));
	} else {
		memcpy(tcp + TCP_SPORT, ports, sizeof(ports));
		packet_partial_csum(p);
	}
	p->out_src = src->addr;
	p->out_dst = dst->addr;
}

/* Lowers the MSS value at @at in the header and updates the checksum. */
static void lower_mss(struct packet *p, unsigned at, uint16_t mss)
{
	uint8_t *value = p->hdr + at;
	uint8_t *csum = p->hdr + IP_HEADER_LEN + TCP_CSUM;
	const uint8_t to[2] = {(uint8_t)(mss >> 8), (uint8_t)mss};
	uint16_t was, is, check;

	memcpy(&was, value, 2);
	memcpy(&is, to, 2);
	memcpy(value, to, 2);
	if (p->csum == CSUM_PARTIAL)
		return;
	/* After an odd number of NOPs each byte is in the other half of its
	 * word, which for the sum is the same as swapped bytes.
	 */
	if (at % 2) {
		was = (uint16_t)(was << 8 | was >> 8);
		is = (uint16_t)(is << 8 | is >> 8);
	}
	memcpy(&check, csum, 2);
	check = csum_update(check, was, is);
	memcpy(csum, &check, 2);
}

/* Offset of the next MSS option from @i on that exceeds @mss; @len if none. */
static unsigned next_larger_mss(const uint8_t *opt, unsigned len, unsigned i,
				uint16_t mss)
{
	unsigned size;

	for (; (size = find_option(opt, len, &i)) > 0; i += size)
		if (opt[i] == TCPOPT_MSS && size == 4 &&
		    get16(opt + i + 2) > mss)
			return i;
	return len;
}

void packet_clamp_mss(struct packet *p, uint16_t mss)
{
	const unsigned start = IP_HEADER_LEN + TCP_HEADER_MIN;
	const unsigned len = p->hdr_len - start;
	const uint8_t *opt = p->hdr + start;
	unsigned i = 0;

	if (!(p->tcp.flags & TCP_SYN) || mss == 0)
		return;
	while ((i = next_larger_mss(opt, len, i, mss)) < len)
		lower_mss(p, start + i + 2, mss);
	if (p->tcp.mss > mss)
		p->tcp.mss = mss;
}

enum packet_mptcp packet_mptcp(const struct packet *p)
{
	const unsigned start = IP_HEADER_LEN + TCP_HEADER_MIN;
	const unsigned len = p->hdr_len - start;
	const uint8_t *opt = p->hdr + start;
	enum packet_mptcp found = PACKET_NO_MPTCP;
	unsigned i = 0, size;

	for (; (size = find_option(opt, len, &i)) > 0; i += size) {
		if (opt[i] != TCPOPT_MPTCP)
			continue;
		if (size > 2 && opt[i + 2] >> 4 == MPTCP_JOIN)
			return PACKET_MP_JOIN;
		found = PACKET_MP_CAPABLE;
	}
	return found;
}

/* Writes one byte of the header and updates the checksum. */
static void put_byte(struct packet *p, unsigned at, uint8_t byte)
{
	uint8_t *word = p->hdr + (at & ~1u);
	uint8_t *csum = p->hdr + IP_HEADER_LEN + TCP_CSUM;
	uint16_t was, is, check;

	memcpy(&was, word, 2);
	p->hdr[at] = byte;
	memcpy(&is, word, 2);
	if (p->csum == CSUM_PARTIAL)
		return;
	memcpy(&check, csum, 2);
	check = csum_update(check, was, is);
	memcpy(csum, &check, 2);
}

void packet_strip_mptcp(struct packet *p)
{
	const unsigned start = IP_HEADER_LEN + TCP_HEADER_MIN;
	const unsigned len = p->hdr_len - start;
	const uint8_t *opt = p->hdr + start;
	unsigned i = 0, size;

	for (; (size = find_option(opt, len, &i)) > 0; i += size)
		if (opt[i] == TCPOPT_MPTCP)
			for (unsigned k = 0; k < size; k++)
				put_byte(p, start + i + k, TCPOPT_NOP);
}

void packet_clamp_options(uint8_t *options, unsigned len, uint16_t mss)
{
	unsigned i = 0;

	if (mss == 0)
		return;
	while ((i = next_larger_mss(options, len, i, mss)) < len) {
		options[i + 2] = (uint8_t)(mss >> 8);
		options[i + 3] = (uint8_t)mss;
	}
}

void packet_partial_csum(struct packet *p)
{
	uint32_t tcp_len = packet_len(p) - IP_HEADER_LEN;
	uint16_t check = csum_fold(pseudo_sum(p->hdr, tcp_len));

	memcpy(p->hdr + IP_HEADER_LEN + TCP_CSUM, &check, 2);
	p->csum = CSUM_PARTIAL;
}

void packet_complete_csum(struct packet *p)
{
	uint8_t *tcp = p->hdr + IP_HEADER_LEN;
	uint64_t sum;
	uint16_t check;

	if (p->csum == CSUM_FULL)
		return;
	/* The partial checksum in the header is the pseudo-header's sum. */
	sum = csum_add(0, tcp, packet_tcp_len(p));
	sum = csum_add(sum, p->payload, p->payload_len);
	check = (uint16_t)~csum_fold(sum);
	memcpy(tcp + TCP_CSUM, &check, 2);
	p->csum = CSUM_FULL;
}
