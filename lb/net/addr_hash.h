/* SPDX-License-Identifier: MIT */
/*
 * addr_hash.h - keyed hash for tables whose keys the outside world chooses
 *
 * Clients choose their addresses. Without a secret they could choose addresses
 * that all fall into one place of a table. The secret is random and drawn at
 * every start, so they cannot know which addresses those are.
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
	/* getrandom(2) returns up to 256 bytes whole and uninterrupted. */
	return getrandom(key, sizeof(*key), 0) == sizeof(*key) ? 0 : -errno;
}

/* @bytes must contain no padding. */
static inline uint64_t addr_hash(const struct addr_hash_key *key,
				 const void *bytes, size_t len)
{
	return XXH3_64bits_withSecret(bytes, len, key->secret,
				      sizeof(key->secret));
}

#endif
