/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "core/csum.h"

/*
 * Adds eight bytes a step into a 64-bit sum, which cannot overflow for any
 * length of a packet. The compiler vectorizes the loop (this file is built with
 * -O3).
 */
uint64_t csum_add(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t low = 0, high = 0;

	for (; len >= 8; p += 8, len -= 8) {
		uint64_t w;

		memcpy(&w, p, sizeof(w));
		low += w & 0xffffffff;
		high += w >> 32;
	}
	sum += low + high;
	for (; len >= 2; p += 2, len -= 2) {
		uint16_t w;

		memcpy(&w, p, sizeof(w));
		sum += w;
	}
	if (len) {
		uint16_t w = 0;

		memcpy(&w, p, 1); /* padded with a zero byte, RFC 1071 */
		sum += w;
	}
	return sum;
}

uint16_t csum_update_field(uint16_t check, const void *from, const void *to,
			   size_t words)
{
	const uint8_t *f = from, *t = to;

	for (size_t i = 0; i < words; i++) {
		uint16_t was, is;

		memcpy(&was, f + 2 * i, sizeof(was));
		memcpy(&is, t + 2 * i, sizeof(is));
		check = csum_update(check, was, is);
	}
	return check;
}
