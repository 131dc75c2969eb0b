/* SPDX-License-Identifier: MIT */
/*
 * icmp.h - ICMP errors about the segments of our flows, in and out
 *
 * A router that cannot forward a segment sends an ICMP error to its source and
 * quotes the start of the segment. For segments that we forwarded we are the
 * source: the quote has our rewritten addresses. icmp_parse() reads such an
 * error. icmp_translate() changes it into the error that a router on the other
 * side would have sent, with the quote as the original sender knows the segment
 * (RFC 5508 section 4, design rule 11). icmp_frag_needed() makes the error if
 * we are that router.
 *
 * The caller finds the flow by icmp_reply_key(). flow_find() gives the side @to
 * that the quoted segment was sent to; @from = !@to is its sender:
 *
 *	if (!icmp_in_flight(&flow->tcp, from, m.seq))
 *		drop it; it may be forged (RFC 5927 section 4)
 *	icmp_translate(&m, &flow->pair[from].dst.addr,
 *		       &flow->pair[from].src.addr, &flow->pair[from]);
 */
#ifndef L4LB_ICMP_H
#define L4LB_ICMP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/drop.h"
#include "core/l3.h"
#include "core/packet.h"
#include "core/tcp_track.h"

/*
 * The largest message, outer IP header included: routers quote as much as fits
 * into this (RFC 1812 section 4.3.2.3). Longer messages are cut.
 */
#define ICMP_MESSAGE_MAX 576 /* bytes */
#define ICMP_HEADER_LEN	 8
#define ICMP_PROTO	 1
#define ICMP_MTU_MIN	 68 /* every link carries this: RFC 791 */

/* The types of errors, and the one code that we treat differently. */
enum icmp_type {
	ICMP_TYPE_UNREACHABLE = 3,
	ICMP_TYPE_TIME_EXCEEDED = 11,
	ICMP_TYPE_PARAMETER = 12,
};
#define ICMP_CODE_FRAG_NEEDED 4 /* of ICMP_TYPE_UNREACHABLE */

/* A whole IPv4 packet, to be sent by raw IP. */
struct icmp_message {
	struct ip_addr src, dst;
	uint16_t len; /* bytes of @ip in use */
	uint8_t ip[ICMP_MESSAGE_MAX];
};

struct icmp_error {
	uint8_t type, code;
	uint16_t mtu; /* of the next hop; 0: not given, or another error */
	struct flow_key quoted;	 /* the segment as we sent it */
	uint32_t seq, ack;	 /* of the quoted segment */
	bool has_ack;		 /* enough was quoted for @ack */
	uint16_t tcp_at;	 /* where its TCP header starts in @msg.ip */
	uint16_t tcp_len;	 /* bytes of the segment in the quote: >= 8 */
	struct icmp_message msg; /* ready to send after icmp_translate() */
};

/*
 * Reads a packet of protocol ICMP_PROTO, which is an error about a segment.
 * Returns 0 with @m filled in, else -1 and the reason in *why:
 * DROP_ICMP_OTHER for messages that do not concern us (echo, source quench,
 * errors about UDP), DROP_BAD_ICMP for malformed ones. A wrong checksum of the
 * message is never repaired. Checksums inside the quote are not verified, since
 * many routers quote a header that they had begun to change.
 */
int icmp_parse(struct icmp_error *m, const struct l3 *l3,
	       enum drop_reason *why);

/* The key of a segment that answers the quoted one, to find its flow. */
static inline struct flow_key icmp_reply_key(const struct icmp_error *m)
{
	struct flow_key key = m->quoted;

	key.pair.src = m->quoted.pair.dst;
	key.pair.dst = m->quoted.pair.src;
	return key;
}

static inline uint8_t icmp_ttl(const struct icmp_error *m)
{
	return m->msg.ip[8];
}

static inline bool icmp_is_frag_needed(const struct icmp_error *m)
{
	return m->type == ICMP_TYPE_UNREACHABLE &&
	       m->code == ICMP_CODE_FRAG_NEEDED;
}

/*
 * The path MTU of a fragmentation-needed error: its MTU field, but at least
 * ICMP_MTU_MIN. Routers older than RFC 1191 send none: then the next smaller
 * common MTU (section 7.1 there). 0 for any other error.
 */
uint16_t icmp_path_mtu(const struct icmp_error *m);

/*
 * Changes the message to go from @src to @dst, and its quote to a segment
 * @quoted.src -> @quoted.dst. Decrements its TTL, which must be above 1.
 * Checksums inside the quote are updated incrementally: a right one stays
 * right, a wrong one stays wrong by as much. The TCP checksum is updated only
 * if quoted whole (18 bytes of TCP).
 */
void icmp_translate(struct icmp_error *m, const struct ip_addr *src,
		    const struct ip_addr *dst, const struct flow_pair *quoted);

/*
 * True if the segment of @sender that starts at @seq may be in flight: sent,
 * and not yet acknowledged (RFC 5927 section 4.1).
 */
bool icmp_in_flight(const struct tcp_track *t, enum flow_side sender,
		    uint32_t seq);

/*
 * Builds the error that tells the sender of @p that the next hop carries only
 * @mtu bytes; its source is the destination of @p. @p is as received, before
 * packet_rewrite(), with its payload. False if no error may be sent: @p may be
 * fragmented, or fits, or an address is not a single host (RFC 1122 section
 * 3.2.2). The caller limits the rate (RFC 1812 section 4.3.2.8).
 */
bool icmp_frag_needed(struct icmp_message *out, const struct packet *p,
		      uint32_t mtu);

#endif
