/* SPDX-License-Identifier: MIT */
/*
 * csum.h - the Internet checksum: whole (RFC 1071) and incremental (RFC 1624)
 *
 * The one's complement sum does not depend on byte order (RFC 1071 section 2),
 * so every 16-bit value here stays as it is on the wire.
 */
#ifndef L4LB_CSUM_H
#define L4LB_CSUM_H

#include <stddef.h>
#include <stdint.h>

/*
 * Adds @len bytes to a running sum. @data may be unaligned. It must start at an
 * even offset of the summed data, so only the last piece may have an odd
 * length. The sum cannot overflow before 2^32 words.
 */
uint64_t csum_add(uint64_t sum, const void *data, size_t len);

/* Folds a sum to 16 bits; does not complement it. */
static inline uint16_t csum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/*
 * New checksum after one 16-bit word changes: RFC 1624 equation 3, HC' =
 * ~(~HC + ~m + m'). The shorter form of RFC 1141 can give 0xffff where 0x0000
 * is right.
 */
static inline uint16_t csum_update(uint16_t check, uint16_t from, uint16_t to)
{
	uint32_t sum = (uint16_t)~check + (uint16_t)~from + to;

	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	return ~sum & 0xffff;
}

/* The same for a field of @words 16-bit words, such as an address. */
uint16_t csum_update_field(uint16_t check, const void *from, const void *to,
			   size_t words);

#endif
