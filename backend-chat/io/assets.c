/* SPDX-License-Identifier: MIT */
/* See assets.h. The table is written by assets.cmake. */
#include "io/assets.h"

struct embedded {
	const char *name, *type, *etag;
	bool page;
	const char *begin, *end;
};

#include "assets_table.h"

#define HASH_LEN (sizeof(ASSETS_HASH) - 1)

/* "HASH/NAME": takes the hash off. */
static struct slice take_hash(struct slice *name)
{
	const struct slice hash = {name->at, HASH_LEN};

	if (name->len <= HASH_LEN || name->at[HASH_LEN] != '/')
		return SLICE("");
	*name = slice_from(*name, HASH_LEN + 1);
	return hash;
}

bool asset_find(struct slice path, struct asset *out)
{
	struct slice name = slice_from(path, path.len > 0);
	const struct slice hash = take_hash(&name);

	if (name.len == 0 && hash.len == 0)
		name = SLICE("index.html");
	for (size_t i = 0; i < sizeof(embedded) / sizeof(embedded[0]); i++) {
		const struct embedded *e = &embedded[i];

		if (!slice_equal(name, slice_of(e->name)) ||
		    (hash.len > 0 && e->page))
			continue;
		*out = (struct asset){
			.body = {e->begin, (size_t)(e->end - e->begin)},
			.type = e->type,
			.etag = slice_of(e->etag),
			.page = e->page,
			.lasts = slice_equal(hash, SLICE(ASSETS_HASH)),
		};
		return true;
	}
	return false;
}
