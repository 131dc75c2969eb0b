/* SPDX-License-Identifier: MIT */
/* See mid.h. */
#include "core/mid.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			       "abcdefghijklmnopqrstuvwxyz0123456789-_";

bool mid_is_valid(struct slice mid)
{
	if (mid.len < MID_MIN || mid.len > MID_MAX)
		return false;
	for (size_t i = 0; i < mid.len; i++)
		if (!memchr(alphabet, mid.at[i], sizeof(alphabet) - 1))
			return false;
	return true;
}

void mid_make(const uint8_t random[16], char out[MID_MADE + 1])
{
	for (size_t i = 0; i < MID_MADE; i++) {
		size_t bit = i * 6;
		unsigned two = (unsigned)random[bit / 8] << 8;

		if (bit / 8 + 1 < 16)
			two |= random[bit / 8 + 1];
		out[i] = alphabet[two >> (10 - bit % 8) & 63];
	}
	out[MID_MADE] = '\0';
}

size_t mid_store(struct slice token_hash, struct slice mid,
		 char out[MID_STORED_MAX])
{
	memcpy(out, token_hash.at, MID_PREFIX);
	out[MID_PREFIX] = '.';
	memcpy(out + MID_PREFIX + 1, mid.at, mid.len);
	out[MID_PREFIX + 1 + mid.len] = '\0';
	return MID_PREFIX + 1 + mid.len;
}

struct slice mid_own(struct slice stored)
{
	if (stored.len <= MID_PREFIX || stored.at[MID_PREFIX] != '.')
		return (struct slice){NULL, 0};
	return slice_from(stored, MID_PREFIX + 1);
}

uint64_t mid_hash(struct slice stored, uint64_t key)
{
	return XXH3_64bits_withSeed(stored.at, stored.len, key);
}
