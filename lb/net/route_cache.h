/* SPDX-License-Identifier: MIT */
/*
 * route_cache.h - answers to route look-ups, remembered per (source,
 * destination)
 *
 * A bounded cache. A keyed hash selects a set of ROUTE_CACHE_WAYS entries, and
 * a new entry overwrites the least recently used one of its set. So a flood
 * from invented sources, each seen once, does not push out the clients that
 * send all the time. route_cache_forget_all() is O(1): entries of an older
 * generation no longer match.
 *
 * No system calls: netlink.c asks the kernel and fills the cache.
 */
#ifndef L4LB_ROUTE_CACHE_H
#define L4LB_ROUTE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"

#define ROUTE_CACHE_WAYS 4
#define ROUTE_CACHE_MAX	 16384

struct route_key {
	struct ip_addr src; /* zero: any */
	struct ip_addr dst;
};

struct cached_route {
	struct route_key key;
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

struct route_cache;

int route_cache_new(struct route_cache **out);
void route_cache_free(struct route_cache *c);

/* NULL: not in the cache. */
struct cached_route *route_cache_find(struct route_cache *c,
				      const struct route_key *key,
				      uint64_t now_ns);
/*
 * The entry for @key, new or existing. The caller fills all fields but the key,
 * the generation and used_ns.
 */
struct cached_route *route_cache_put(struct route_cache *c,
				     const struct route_key *key,
				     uint64_t now_ns);
void route_cache_forget_all(struct route_cache *c);

#endif
