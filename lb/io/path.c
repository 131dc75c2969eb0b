/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "io/addr_hash.h"
#include "io/path.h"

#define SETS (PATH_MAX_ENTRIES / PATH_WAYS)
static_assert((SETS & (SETS - 1)) == 0, "sets are chosen by a mask");
static_assert(sizeof(struct path_key) == 32, "hashed as bytes: no padding");

struct path_cache {
	uint64_t generation; /* never 0: that marks an entry never used */
	struct addr_hash_key hash_key;
	struct path_set {
		/*
		 * Other bits of the hash: a look-up reads these instead of all
		 * four entries.
		 */
		uint32_t tags[PATH_WAYS];
		struct path ways[PATH_WAYS];
	} sets[SETS];
};

int path_cache_new(struct path_cache **out)
{
	struct path_cache *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	err = addr_hash_key_draw(&c->hash_key);
	if (err) {
		free(c);
		return err;
	}
	c->generation = 1;
	*out = c;
	return 0;
}

void path_cache_free(struct path_cache *c)
{
	free(c);
}

void path_forget_all(struct path_cache *c)
{
	c->generation++;
}

static struct path_set *set_of(struct path_cache *c, const struct path_key *key,
			       uint32_t *tag)
{
	uint64_t hash = addr_hash(&c->hash_key, key, sizeof(*key));

	*tag = (uint32_t)(hash >> 32);
	return &c->sets[hash & (SETS - 1)];
}

static struct path *find_in(struct path_set *set, uint32_t tag,
			    const struct path_key *key, uint64_t generation)
{
	int i;

	for (i = 0; i < PATH_WAYS; i++) {
		struct path *path = &set->ways[i];

		if (set->tags[i] == tag && path->generation == generation &&
		    memcmp(&path->key, key, sizeof(*key)) == 0)
			return path;
	}
	return NULL;
}

struct path *path_find(struct path_cache *c, const struct path_key *key,
		       uint64_t now_ns)
{
	uint32_t tag;
	struct path_set *set = set_of(c, key, &tag);
	struct path *path = find_in(set, tag, key, c->generation);

	if (path)
		path->used_ns = now_ns;
	return path;
}

/* The entry to overwrite: an outdated one, else the least recently used. */
static int victim(const struct path_set *set, uint64_t generation)
{
	int i, oldest = 0;

	for (i = 0; i < PATH_WAYS; i++) {
		if (set->ways[i].generation != generation)
			return i;
		if (set->ways[i].used_ns < set->ways[oldest].used_ns)
			oldest = i;
	}
	return oldest;
}

struct path *path_put(struct path_cache *c, const struct path_key *key,
		      uint64_t now_ns)
{
	uint32_t tag;
	struct path_set *set = set_of(c, key, &tag);
	struct path *path = find_in(set, tag, key, c->generation);

	if (!path) {
		int way = victim(set, c->generation);

		path = &set->ways[way];
		set->tags[way] = tag;
		*path = (struct path){.key = *key, .generation = c->generation};
	}
	path->used_ns = now_ns;
	return path;
}
