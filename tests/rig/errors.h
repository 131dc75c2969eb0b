/* SPDX-License-Identifier: MIT */
/*
 * errors.h - ICMP errors, built without the code under test
 *
 * A struct error says what a router tells about which segment; error_build()
 * makes the bytes of it as RFC 792, 1191 and 4884 draw them.
 */
#ifndef L4LB_ERRORS_H
#define L4LB_ERRORS_H

#include <stdbool.h>
#include <stdint.h>

#include "frames.h"

#define ERROR_MAX     65535
#define ERROR_HEADERS 28 /* IP and ICMP, before the quote */

struct error {
	const char *src, *dst; /* of the message */
	uint8_t type, code;
	uint8_t ttl;
	uint16_t mtu;
	struct frame segment;	/* what it is about */
	uint8_t ip_options_len; /* of the quoted header: 0 to 40, by 4 */
	uint32_t tcp_quoted;	/* bytes of the segment behind its IP header */
	uint32_t pad_to;	/* bytes of the quote at least, with zeroes */
	uint32_t extension_len; /* behind the quote, which pad_to then tells */
};

/* Bytes written to @out, which has room for ERROR_MAX. */
uint32_t error_build(const struct error *e, uint8_t *out);

/* Bytes of the segment, which is the most that can be quoted of it. */
uint32_t error_segment_len(const struct error *e);

/* Makes both checksums of the message right, whatever its total length says. */
void error_fix_csums(uint8_t *ip, uint32_t len);

/* True if both are, and the total length is @len. */
bool error_is_right(const uint8_t *ip, uint32_t len);

/*
 * One connection seen from both sides: the client's segments leave us from our
 * port, the backend's from the VIP. @by_client: who sent the segment.
 */
struct error error_arriving(bool by_client);

/* The same error as the segment's sender should see it. */
struct error error_translated(const struct error *arriving, bool by_client);

#endif
