/* SPDX-License-Identifier: MIT */
/*
 * path.h - answers to route lookups, remembered per (source, destination)
 *
 * A bounded cache. A place is found by a keyed hash; of the PATH_WAYS entries
 * there the least recently used is overwritten, so a flood from invented
 * sources, each seen once, does not push out the clients that talk all the
 * time. path_forget_all() is O(1): entries of an older generation are not
 * found any more.
 *
 * No system calls: netlink.c asks the kernel and fills it.
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
	/* Everything below only if a frame can be sent, given a neighbour. */
	bool link;
	uint8_t mac[6];	     /* ours, on that link */
	struct ip_addr next; /* the destination or a gateway */
	uint64_t neigh_generation;
	uint32_t neigh; /* index, valid for that generation; or NEIGH_NONE */
};

struct path_cache;

int path_cache_new(struct path_cache **out);
void path_cache_free(struct path_cache *c);

/* NULL: not there. */
struct path *path_find(struct path_cache *c, const struct path_key *key,
		       uint64_t now_ns);
/* The entry for @key, new or as it was; everything but the key, the generation
 * and used_ns is for the caller to fill.
 */
struct path *path_put(struct path_cache *c, const struct path_key *key,
		      uint64_t now_ns);
void path_forget_all(struct path_cache *c);

#endif
