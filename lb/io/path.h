/* SPDX-License-Identifier: MIT */
/*
 * path.h - answers to route look-ups, remembered per (source, destination)
 *
 * A bounded cache. A keyed hash selects a set of PATH_WAYS entries, and a new
 * entry overwrites the least recently used one of its set. So a flood from
 * invented sources, each seen once, does not push out the clients that send all
 * the time. path_forget_all() is O(1): entries of an older generation no longer
 * match.
 *
 * No system calls: netlink.c asks the kernel and fills the cache.
 */
#ifndef L4LB_PATH_H
#define L4LB_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"

#define PATH_WAYS	 4
#define PATH_MAX_ENTRIES 16384

struct path_key {
	struct ip_addr src; /* zero: any */
	struct ip_addr dst;
};

struct path {
	struct path_key key;
	uint64_t generation; /* of the cache; 0: never used */
	uint64_t used_ns;
	uint64_t asked_ns;
	int ifindex; /* as in struct hop */
	uint32_t mtu;
	/* Valid only if a frame can be sent once the neighbour is known. */
	bool link;
	uint8_t mac[6];	     /* ours, on that link */
	struct ip_addr next; /* the destination or a gateway */
	uint64_t neigh_generation;
	uint32_t neigh; /* index, valid for that generation; or NEIGH_NONE */
};

struct path_cache;

int path_cache_new(struct path_cache **out);
void path_cache_free(struct path_cache *c);

/* NULL: not in the cache. */
struct path *path_find(struct path_cache *c, const struct path_key *key,
		       uint64_t now_ns);
/*
 * The entry for @key, new or existing. The caller fills all fields but the key,
 * the generation and used_ns.
 */
struct path *path_put(struct path_cache *c, const struct path_key *key,
		      uint64_t now_ns);
void path_forget_all(struct path_cache *c);

#endif
