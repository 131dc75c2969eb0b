/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <string.h>

#include "core/csum.h"
#include "core/icmp.h"
#include "core/bytes.h"

/* Offsets in the IPv4 header (RFC 791), outer and quoted. */
enum {
	IP_TOS = 1,
	IP_TOTAL_LEN = 2,
	IP_FRAG = 6,
	IP_TTL = 8,
	IP_PROTO = 9,
	IP_CSUM = 10,
	IP_SRC = 12,
	IP_DST = 16,
};
#define IP_DONT_FRAGMENT 0x4000
#define IP_FRAG_MASK	 0x3fff /* offset and More Fragments */
#define IP_FRAG_OFFSET	 0x1fff
#define IP_TOS_CONTROL	 0xc0 /* precedence 6: RFC 1812 section 4.3.2.5 */
#define IP_TTL_DEFAULT	 64   /* RFC 1700 */

/* Offsets in the ICMP header (RFC 792, RFC 1191 section 4, RFC 4884). */
enum {
	ICMP_TYPE = 0,
	ICMP_CODE = 1,
	ICMP_CSUM = 2,
	ICMP_QUOTE_WORDS = 5, /* length of the quote, if data follows it */
	ICMP_MTU = 6,
};

enum {
	TCP_SPORT = 0,
	TCP_DPORT = 2,
	TCP_SEQ = 4,
	TCP_ACKNO = 8,
	TCP_CSUM = 16,
};
#define TCP_QUOTE_MIN 8 /* RFC 792: ports and sequence */

#define ICMP_AT	 IP_HEADER_LEN /* in a message */
#define QUOTE_AT (ICMP_AT + ICMP_HEADER_LEN)

/* The least length of a quote that data follows: RFC 4884 section 4.2 */
#define EXTENDED_QUOTE_MIN 128 /* bytes */

/*
 * Most data in a SYN: Fast Open sends at most one segment (RFC 7413 section
 * 4.2.1), here of Ethernet's size.
 */
#define SYN_DATA_MAX 1460

static int refuse(enum drop_reason *out, enum drop_reason why)
{
	*out = why;
	return -1;
}

static struct ip_addr read_addr(const uint8_t *p)
{
	uint32_t v4;

	memcpy(&v4, p, sizeof(v4));
	return addr_from_v4(v4);
}

/* Writes the checksum of the @len bytes at @from into the field at @at. */
static void write_csum(uint8_t *from, unsigned at, uint32_t len)
{
	uint16_t check;

	memset(from + at, 0, 2);
	check = (uint16_t)~csum_fold(csum_add(0, from, len));
	memcpy(from + at, &check, 2);
}

/* ---------------------------------------------------------------- reading */

static bool is_error(uint8_t type)
{
	/* Not 4, source quench: RFC 6633 section 3 says to ignore it. Not 5,
	 * redirect: it concerns the host's own routing.
	 */
	return type == ICMP_TYPE_UNREACHABLE ||
	       type == ICMP_TYPE_TIME_EXCEEDED || type == ICMP_TYPE_PARAMETER;
}

static int check_icmp(const uint8_t *icmp, uint32_t len, enum drop_reason *why)
{
	if (len < ICMP_HEADER_LEN)
		return refuse(why, DROP_BAD_ICMP);
	if (!is_error(icmp[ICMP_TYPE]))
		return refuse(why, DROP_ICMP_OTHER);
	if (csum_fold(csum_add(0, icmp, len)) != 0xffff)
		return refuse(why, DROP_BAD_CHECKSUM);
	return 0;
}

/*
 * Copies the message, cut to ICMP_MESSAGE_MAX. With RFC 4884 more data may
 * follow the quote, whose length is given. An impossible length is set to 0; so
 * is that of a message which was cut, as the data after the quote is gone.
 */
static void copy_message(struct icmp_error *m, const uint8_t *ip,
			 uint32_t total)
{
	uint8_t *copy = m->msg.ip, *words = copy + ICMP_AT + ICMP_QUOTE_WORDS;
	uint32_t quoted = ip[ICMP_AT + ICMP_QUOTE_WORDS] * 4u;
	uint32_t len = total;

	if (quoted < EXTENDED_QUOTE_MIN || quoted > total - QUOTE_AT)
		quoted = 0;
	if (len > ICMP_MESSAGE_MAX) {
		if (quoted)
			len = QUOTE_AT + quoted;
		if (len > ICMP_MESSAGE_MAX)
			len = ICMP_MESSAGE_MAX;
		quoted = 0;
	}
	memcpy(copy, ip, len);
	put16(copy + IP_TOTAL_LEN, (uint16_t)len);
	*words = (uint8_t)(quoted / 4);
	m->msg.len = (uint16_t)len;
	m->msg.src = read_addr(ip + IP_SRC);
	m->msg.dst = read_addr(ip + IP_DST);
	m->type = ip[ICMP_AT + ICMP_TYPE];
	m->code = ip[ICMP_AT + ICMP_CODE];
	m->mtu = icmp_is_frag_needed(m) ? get16(ip + ICMP_AT + ICMP_MTU) : 0;
}

static uint32_t quote_len(const struct icmp_error *m)
{
	uint32_t words = m->msg.ip[ICMP_AT + ICMP_QUOTE_WORDS];

	return words ? words * 4 : (uint32_t)m->msg.len - QUOTE_AT;
}

/*
 * Reads the quote: an IPv4 header and at least 8 bytes of TCP. Only those
 * fields of the IP header are checked that identify the segment: routers quote
 * it with the TTL decremented and the checksum not yet updated.
 */
static int read_quote(struct icmp_error *m, enum drop_reason *why)
{
	const uint8_t *ip = m->msg.ip + QUOTE_AT, *tcp;
	uint32_t len = quote_len(m), header, total;

	if (len < IP_HEADER_LEN)
		return refuse(why, DROP_BAD_ICMP);
	header = (ip[0] & 0x0fu) * 4;
	if (ip[0] >> 4 != 4 || header < IP_HEADER_LEN)
		return refuse(why, DROP_BAD_ICMP);
	/* Other protocols do not concern us; a later fragment has no ports. */
	if (ip[IP_PROTO] != PACKET_PROTO_TCP ||
	    (get16(ip + IP_FRAG) & IP_FRAG_OFFSET))
		return refuse(why, DROP_ICMP_OTHER);
	if (len < header + TCP_QUOTE_MIN)
		return refuse(why, DROP_BAD_ICMP);
	total = get16(ip + IP_TOTAL_LEN);
	if (total < header + TCP_QUOTE_MIN)
		return refuse(why, DROP_BAD_ICMP);
	/* Padding may follow the packet. */
	m->tcp_len = (uint16_t)((len < total ? len : total) - header);
	m->tcp_at = (uint16_t)(QUOTE_AT + header);

	tcp = ip + header;
	memset(&m->quoted, 0, sizeof(m->quoted));
	m->quoted.pair.src.addr = read_addr(ip + IP_SRC);
	m->quoted.pair.dst.addr = read_addr(ip + IP_DST);
	memcpy(&m->quoted.pair.src.port, tcp + TCP_SPORT, 2);
	memcpy(&m->quoted.pair.dst.port, tcp + TCP_DPORT, 2);
	m->quoted.proto = PACKET_PROTO_TCP;
	m->seq = get32(tcp + TCP_SEQ);
	m->has_ack = m->tcp_len >= TCP_ACKNO + 4;
	m->ack = m->has_ack ? get32(tcp + TCP_ACKNO) : 0;
	return 0;
}

int icmp_parse(struct icmp_error *m, const struct l3 *l3, enum drop_reason *why)
{
	if (check_icmp(l3->ip + ICMP_AT, l3->len - ICMP_AT, why))
		return -1;
	copy_message(m, l3->ip, l3->len);
	if (read_quote(m, why))
		return -1;
	/* An error must go to the sender of the quoted packet. */
	if (!addr_equal(&m->msg.dst, &m->quoted.pair.src.addr))
		return refuse(why, DROP_BAD_ICMP);
	return 0;
}

uint16_t icmp_path_mtu(const struct icmp_error *m)
{
	/* RFC 1191 section 7.1, the plateaus */
	static const uint16_t plateaus[] = {32000, 17914, 8166, 4352, 2002,
					    1492,  1006,  508,	296};
	uint16_t total;

	if (!icmp_is_frag_needed(m))
		return 0;
	if (m->mtu)
		return m->mtu < ICMP_MTU_MIN ? ICMP_MTU_MIN : m->mtu;
	total = get16(m->msg.ip + QUOTE_AT + IP_TOTAL_LEN);
	for (unsigned i = 0; i < sizeof(plateaus) / sizeof(plateaus[0]); i++)
		if (plateaus[i] < total)
			return plateaus[i];
	return ICMP_MTU_MIN;
}

/* ------------------------------------------------------------ translating */

/* The checksum of the quoted TCP header; NULL if the quote is too short. */
static uint8_t *quoted_tcp_csum(struct icmp_error *m)
{
	if (m->tcp_len < TCP_CSUM + 2)
		return NULL;
	return m->msg.ip + m->tcp_at + TCP_CSUM;
}

/* Updates the checksum at @csum (may be NULL) for a new value of a field. */
static void mend(uint8_t *csum, const uint8_t *field, const void *to,
		 size_t words)
{
	uint16_t check;

	if (!csum)
		return;
	memcpy(&check, csum, 2);
	check = csum_update_field(check, field, to, words);
	memcpy(csum, &check, 2);
}

static void quote_addr(struct icmp_error *m, unsigned at,
		       const struct ip_addr *addr)
{
	uint8_t *ip = m->msg.ip + QUOTE_AT;

	mend(ip + IP_CSUM, ip + at, addr->b + 12, 2);
	mend(quoted_tcp_csum(m), ip + at, addr->b + 12, 2);
	memcpy(ip + at, addr->b + 12, 4);
}

static void quote_port(struct icmp_error *m, unsigned at, uint16_t port)
{
	uint8_t *tcp = m->msg.ip + m->tcp_at;

	mend(quoted_tcp_csum(m), tcp + at, &port, 1);
	memcpy(tcp + at, &port, 2);
}

void icmp_translate(struct icmp_error *m, const struct ip_addr *src,
		    const struct ip_addr *dst, const struct flow_pair *quoted)
{
	uint8_t *ip = m->msg.ip;

	assert(ip[IP_TTL] > 1);
	quote_addr(m, IP_SRC, &quoted->src.addr);
	quote_addr(m, IP_DST, &quoted->dst.addr);
	quote_port(m, TCP_SPORT, quoted->src.port);
	quote_port(m, TCP_DPORT, quoted->dst.port);
	m->quoted.pair = *quoted;

	memcpy(ip + IP_SRC, src->b + 12, 4);
	memcpy(ip + IP_DST, dst->b + 12, 4);
	m->msg.src = *src;
	m->msg.dst = *dst;
	ip[IP_TTL]--;
	/* Computed anew, as the message may be cut; both were verified. */
	write_csum(ip, IP_CSUM, IP_HEADER_LEN);
	write_csum(ip + ICMP_AT, ICMP_CSUM, m->msg.len - ICMP_AT);
}

bool icmp_in_flight(const struct tcp_track *t, enum flow_side sender,
		    uint32_t seq)
{
	const struct tcp_side *from = &t->side[sender], *to = &t->side[!sender];

	if (!(from->flags & TCP_SIDE_SEEN) || !seq_before(seq, from->end))
		return false;
	if (to->flags & TCP_SIDE_ACKED)
		return !seq_before(seq, to->ack);
	/* Nothing is acknowledged: only the SYN was sent, perhaps with data. */
	return from->end - 1 - seq <= SYN_DATA_MAX;
}

/* ------------------------------------------------------------ originating */

/*
 * True if an error may be sent to @a: RFC 1122 section 3.2.2 excludes addresses
 * that are not a single host. Loopback is allowed: clients may be on the
 * balancer's host.
 */
static bool is_single_host(const uint8_t *a)
{
	return a[0] != 0 && a[0] < 224; /* above: multicast, 240/4, broadcast */
}

/* Quotes the packet from its IP header on, as much as the message can hold. */
static uint16_t quote_packet(uint8_t *out, const struct packet *p)
{
	uint32_t room = ICMP_MESSAGE_MAX - QUOTE_AT - p->hdr_len;
	uint32_t data = p->payload_len < room ? p->payload_len : room;

	memcpy(out, p->hdr, p->hdr_len);
	if (data)
		memcpy(out + p->hdr_len, p->payload, data);
	return (uint16_t)(p->hdr_len + data);
}

bool icmp_frag_needed(struct icmp_message *out, const struct packet *p,
		      uint32_t mtu)
{
	uint8_t *ip = out->ip, *icmp = ip + ICMP_AT;

	if (!(get16(p->hdr + IP_FRAG) & IP_DONT_FRAGMENT) ||
	    packet_len(p) <= mtu || mtu < ICMP_MTU_MIN)
		return false;
	if (!is_single_host(p->hdr + IP_SRC) ||
	    !is_single_host(p->hdr + IP_DST))
		return false;

	memset(ip, 0, QUOTE_AT);
	out->len = (uint16_t)(QUOTE_AT + quote_packet(ip + QUOTE_AT, p));
	out->src = p->key.pair.dst.addr;
	out->dst = p->key.pair.src.addr;

	/* Identification 0: the raw IP socket fills it in. */
	ip[0] = 0x45;
	ip[IP_TOS] = IP_TOS_CONTROL;
	put16(ip + IP_TOTAL_LEN, out->len);
	ip[IP_TTL] = IP_TTL_DEFAULT;
	ip[IP_PROTO] = ICMP_PROTO;
	memcpy(ip + IP_SRC, p->hdr + IP_DST, 4);
	memcpy(ip + IP_DST, p->hdr + IP_SRC, 4);
	write_csum(ip, IP_CSUM, IP_HEADER_LEN);

	icmp[ICMP_TYPE] = ICMP_TYPE_UNREACHABLE;
	icmp[ICMP_CODE] = ICMP_CODE_FRAG_NEEDED;
	put16(icmp + ICMP_MTU, (uint16_t)mtu);
	write_csum(icmp, ICMP_CSUM, out->len - ICMP_AT);
	return true;
}
