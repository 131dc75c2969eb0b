/* SPDX-License-Identifier: MIT */
/*
 * addr_hash.h - keyed hash for tables that the outside world fills
 *
 * Clients choose their addresses. Without a secret they could choose ones
 * that all land in one place of a table; with a random secret, drawn at every
 * start, they cannot know which those are.
 */
#ifndef L4LB_ADDR_HASH_H
#define L4LB_ADDR_HASH_H

#include <errno.h>
#include <stdint.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

struct addr_hash_key {
	uint8_t secret[192]; /* XXH3 wants at least XXH3_SECRET_SIZE_MIN */
};

static inline int addr_hash_key_draw(struct addr_hash_key *key)
{
	/* Up to 256 bytes come whole and uninterrupted: getrandom(2). */
	return getrandom(key, sizeof(*key), 0) == sizeof(*key) ? 0 : -errno;
}

/* @bytes must hold no padding */
static inline uint64_t addr_hash(const struct addr_hash_key *key,
				 const void *bytes, size_t len)
{
	return XXH3_64bits_withSecret(bytes, len, key->secret,
				      sizeof(key->secret));
}

#endif
