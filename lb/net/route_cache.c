/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "net/addr_hash.h"
#include "net/route_cache.h"

#define SETS (ROUTE_CACHE_MAX / ROUTE_CACHE_WAYS)
static_assert((SETS & (SETS - 1)) == 0, "sets are chosen by a mask");
static_assert(sizeof(struct route_key) == 32, "hashed as bytes: no padding");

struct route_cache {
	uint64_t generation; /* never 0: that marks an entry never used */
	struct addr_hash_key hash_key;
	struct route_cache_set {
		/*
		 * Other bits of the hash: a look-up reads these instead of all
		 * four entries.
		 */
		uint32_t tags[ROUTE_CACHE_WAYS];
		struct cached_route ways[ROUTE_CACHE_WAYS];
	} sets[SETS];
};

int route_cache_new(struct route_cache **out)
{
	struct route_cache *c = calloc(1, sizeof(*c));
	int ret;

	if (!c)
		return -ENOMEM;
	ret = addr_hash_key_draw(&c->hash_key);
	if (ret) {
		free(c);
		return ret;
	}
	c->generation = 1;
	*out = c;
	return 0;
}

void route_cache_free(struct route_cache *c)
{
	free(c);
}

void route_cache_forget_all(struct route_cache *c)
{
	c->generation++;
}

static struct route_cache_set *set_of(struct route_cache *c,
				      const struct route_key *key,
				      uint32_t *tag)
{
	uint64_t hash = addr_hash(&c->hash_key, key, sizeof(*key));

	*tag = (uint32_t)(hash >> 32);
	return &c->sets[hash & (SETS - 1)];
}

static struct cached_route *find_in(struct route_cache_set *set, uint32_t tag,
				    const struct route_key *key,
				    uint64_t generation)
{
	int i;

	for (i = 0; i < ROUTE_CACHE_WAYS; i++) {
		struct cached_route *path = &set->ways[i];

		if (set->tags[i] == tag && path->generation == generation &&
		    memcmp(&path->key, key, sizeof(*key)) == 0)
			return path;
	}
	return NULL;
}

struct cached_route *route_cache_find(struct route_cache *c,
				      const struct route_key *key,
				      uint64_t now_ns)
{
	uint32_t tag;
	struct route_cache_set *set = set_of(c, key, &tag);
	struct cached_route *path = find_in(set, tag, key, c->generation);

	if (path)
		path->used_ns = now_ns;
	return path;
}

/* The entry to overwrite: an outdated one, else the least recently used. */
static int victim(const struct route_cache_set *set, uint64_t generation)
{
	int i, oldest = 0;

	for (i = 0; i < ROUTE_CACHE_WAYS; i++) {
		if (set->ways[i].generation != generation)
			return i;
		if (set->ways[i].used_ns < set->ways[oldest].used_ns)
			oldest = i;
	}
	return oldest;
}

struct cached_route *route_cache_put(struct route_cache *c,
				     const struct route_key *key,
				     uint64_t now_ns)
{
	uint32_t tag;
	struct route_cache_set *set = set_of(c, key, &tag);
	struct cached_route *path = find_in(set, tag, key, c->generation);

	if (!path) {
		int way = victim(set, c->generation);

		path = &set->ways[way];
		set->tags[way] = tag;
		*path = (struct cached_route){.key = *key,
					      .generation = c->generation};
	}
	path->used_ns = now_ns;
	return path;
}
