/* SPDX-License-Identifier: MIT */
/*
 * icmp.h - ICMP errors about the segments of our flows, in and out
 *
 * A router that cannot carry a segment tells its sender, and quotes how the
 * segment began. About one that we forwarded it tells us: the quote bears the
 * addresses as we wrote them. icmp_parse() reads such an error;
 * icmp_translate() makes of it what a router on the other side would have sent,
 * about the same segment as its sender knows it (RFC 5508 section 4, design
 * rule 11). icmp_frag_needed() is for when we are that router.
 *
 * The caller's part: icmp_reply_key() finds the flow. The side it is found
 * from, @to, is where the quoted segment was going; @from = !@to sent it:
 *
 *	if (!icmp_in_flight(&flow->tcp, from, m.seq))
 *		drop it; somebody only guesses (RFC 5927 section 4)
 *	icmp_translate(&m, &flow->pair[from].dst.addr,
 *		       &flow->pair[from].src.addr, &flow->pair[from]);
 */
#ifndef L4LB_ICMP_H
#define L4LB_ICMP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/drop.h"
#include "core/packet.h"
#include "core/tcp_track.h"

/*
 * The largest message, outer IP header included: RFC 1812 section 4.3.2.3 has
 * routers quote as much as fits in this. What is longer is cut.
 */
#define ICMP_MESSAGE_MAX 576 /* bytes */
#define ICMP_HEADER_LEN	 8
#define ICMP_PROTO	 1
#define ICMP_MTU_MIN	 68 /* every link carries this: RFC 791 */

/* The types that are errors, and the one code that means more to us. */
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
	uint16_t mtu; /* of the next hop; 0: not said, or another error */
	struct flow_key quoted; /* the segment as it was sent by us */
	uint32_t seq, ack;	/* of it */
	bool has_ack;		/* enough was quoted for @ack */
	uint16_t tcp_at;	/* where its TCP header starts in @msg.ip */
	uint16_t tcp_len; /* bytes of the segment that were quoted: >= 8 */
	struct icmp_message msg; /* fit to be sent after icmp_translate() */
};

/*
 * Reads the ICMP error that starts at the IP header @ip; @len bytes were
 * captured there. Returns 0 with @m filled in, else -1 and why not:
 * DROP_ICMP_OTHER for what is no business of ours (echo, source quench, errors
 * about UDP), DROP_BAD_ICMP for what is malformed. A wrong checksum of the
 * message is never repaired; those inside the quote are not judged, since many
 * routers quote a header that they had begun to change.
 */
int icmp_parse(struct icmp_error *m, const uint8_t *ip, uint32_t len,
	       enum drop_reason *why);

/* What a segment that answers the quoted one bears: finds the flow. */
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
 * The path MTU that a frag-needed error asks for: what it says, but at least
 * ICMP_MTU_MIN; from a router older than RFC 1191, which says nothing, the
 * next smaller size in use (section 7.1 there). 0 for any other error.
 */
uint16_t icmp_path_mtu(const struct icmp_error *m);

/*
 * Addresses the message from @src to @dst and makes its quote one of a segment
 * @quoted.src -> @quoted.dst; takes one from its TTL, which must be above 1.
 * Checksums inside the quote are mended by the difference: one that was right
 * stays so, one that was not stays as wrong as it was. TCP's must be quoted
 * whole (18 bytes); half of it stays as it is.
 */
void icmp_translate(struct icmp_error *m, const struct ip_addr *src,
		    const struct ip_addr *dst, const struct flow_pair *quoted);

/*
 * True if the segment of @sender that starts at @seq may still be on its way:
 * sent, and not yet acknowledged (RFC 5927 section 4.1).
 */
bool icmp_in_flight(const struct tcp_track *t, enum flow_side sender,
		    uint32_t seq);

/*
 * Tells the sender of @p that the next hop carries only @mtu bytes, from the
 * address it sent to. @p is as received: before packet_rewrite(), its payload
 * still there. False where none may be sent: @p may be fragmented, or fits, or
 * nobody is there to be told (RFC 1122 section 3.2.2). How many a second is the
 * caller's to limit (RFC 1812 section 4.3.2.8).
 */
bool icmp_frag_needed(struct icmp_message *out, const struct packet *p,
		      uint32_t mtu);

#endif
