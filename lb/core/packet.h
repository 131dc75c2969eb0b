/* SPDX-License-Identifier: MIT */
/*
 * packet.h - a bounds-checked view of one IPv4/TCP packet, and its rewriting
 *
 * The headers are copied out of the capture and rewritten in the copy; the
 * payload stays in the capture buffer until it is sent (gathered behind the
 * headers). A packet may be a super-packet of up to 64 KiB (design rule 3).
 */
#ifndef L4LB_PACKET_H
#define L4LB_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/drop.h"
#include "core/l3.h"

#define TCP_HEADER_MIN	 20
#define TCP_HEADER_MAX	 60
#define TCP_OPTIONS_MAX	 (TCP_HEADER_MAX - TCP_HEADER_MIN)
#define PACKET_HDR_MAX	 (IP_HEADER_LEN + TCP_HEADER_MAX)
#define PACKET_PROTO_TCP 6

enum tcp_flag {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_URG = 0x20,
	TCP_ECE = 0x40,
	TCP_CWR = 0x80,
};

/* Source and destination of packets of one direction, as on the wire. */
struct flow_pair {
	struct endpoint src, dst;
};

/* Hashed and compared as bytes. */
struct flow_key {
	struct flow_pair pair;
	uint8_t proto;
	uint8_t zero[3];
};
static_assert(sizeof(struct flow_key) == 40, "no padding: hashed as bytes");

/* A TCP header in host byte order, with the options that a middlebox needs. */
struct tcp_segment {
	uint32_t seq, ack;
	uint16_t window; /* as sent, not scaled */
	uint8_t flags;	 /* enum tcp_flag */
	uint8_t wscale;	 /* of a SYN; TCP_NO_WSCALE if none */
	uint16_t mss;	 /* of a SYN; 0 if none */
	uint32_t len;	 /* payload bytes */
};
#define TCP_NO_WSCALE  0xff
#define TCP_WSCALE_MAX 14 /* RFC 7323 section 2.3 */

/* What the checksum field of the TCP header holds. */
enum csum_kind {
	CSUM_FULL,    /* a right checksum */
	CSUM_PARTIAL, /* the pseudo-header's sum; hardware completes it */
};

struct packet {
	const uint8_t *payload; /* in the capture buffer, not owned */
	uint32_t payload_len;
	uint16_t hdr_len; /* bytes of @hdr in use: IP and TCP header */
	enum csum_kind csum;
	uint32_t hash;	     /* of @key, see engine_prepare() */
	int ifindex;	     /* where it came in; only for io/forward.c */
	struct flow_key key; /* as received */
	struct tcp_segment tcp;
	/* Set with VERDICT_SEND: the rewritten addresses, and the largest
	 * segment that its receiver takes (0: unknown), for cutting
	 * super-packets.
	 */
	struct ip_addr out_src, out_dst;
	uint16_t out_mss;
	uint16_t out_mtu; /* path MTU to the receiver; 0: not known */
	bool to_backend;  /* else to a client */
	uint8_t hdr[PACKET_HDR_MAX];
};

/*
 * Reads a packet of protocol PACKET_PROTO_TCP. Returns 0 with @p filled in,
 * else -1 with the reason in *why. Verifies the checksum: a wrong one is
 * evidence of corruption and is never repaired (design rule 2).
 */
int packet_parse(struct packet *p, const struct l3 *l3, enum drop_reason *why);

/* Sets new addresses and ports, and decrements the TTL. */
void packet_rewrite(struct packet *p, const struct endpoint *src,
		    const struct endpoint *dst);

/*
 * Lowers the MSS option of a SYN to @mss if it is larger; never raises it. 0:
 * no limit. A SYN without the option stays without: then its receiver sends at
 * most 536 bytes (RFC 9293 section 3.7.1).
 */
void packet_clamp_mss(struct packet *p, uint16_t mss);

/* The same for the options of a SYN that is not built yet. */
void packet_clamp_options(uint8_t *options, unsigned len, uint16_t mss);

/*
 * MPTCP (RFC 8684), which a balancer must not forward unchanged: a SYN that
 * joins a connection names it by a token that only one backend knows. Without
 * MP_CAPABLE in its SYN a connection is plain TCP (section 3.7).
 */
enum packet_mptcp { PACKET_NO_MPTCP, PACKET_MP_CAPABLE, PACKET_MP_JOIN };
enum packet_mptcp packet_mptcp(const struct packet *p);
/* Overwrites all MPTCP options by NOPs, so that no other byte moves. */
void packet_strip_mptcp(struct packet *p);

/* Completes a partial checksum, where nothing after us will do so. */
void packet_complete_csum(struct packet *p);

/* Writes only the pseudo-header's sum, for the segmenter to complete. */
void packet_partial_csum(struct packet *p);

static inline uint8_t packet_ttl(const struct packet *p)
{
	return p->hdr[8];
}

/* Both ends of the outgoing packet; call after packet_rewrite(). */
static inline struct flow_pair packet_out(const struct packet *p)
{
	struct flow_pair out = {{.addr = p->out_src}, {.addr = p->out_dst}};

	memcpy(&out.src.port, p->hdr + IP_HEADER_LEN, 2);
	memcpy(&out.dst.port, p->hdr + IP_HEADER_LEN + 2, 2);
	return out;
}

/* Bytes of the IP packet, as counted in flows. */
static inline uint32_t packet_len(const struct packet *p)
{
	return p->hdr_len + p->payload_len;
}

static inline uint16_t packet_tcp_len(const struct packet *p)
{
	return p->hdr_len - IP_HEADER_LEN;
}

/* A first SYN: the only thing that opens a flow. */
static inline bool packet_opens(const struct packet *p)
{
	return (p->tcp.flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) ==
	       TCP_SYN;
}

#endif
