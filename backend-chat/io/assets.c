/* SPDX-License-Identifier: MIT */
/* See assets.h. The table is written by assets.cmake. */
#include "io/assets.h"

struct embedded {
	const char *name, *hashed; /* hashed: empty for a page */
	const char *type, *etag;
	bool page;
	const char *begin, *end;
};

#include "assets_table.h"

bool asset_find(struct slice path, struct asset *out)
{
	struct slice name = slice_from(path, path.len > 0);

	if (name.len == 0)
		name = SLICE("index.html");
	for (size_t i = 0; i < sizeof(embedded) / sizeof(embedded[0]); i++) {
		const struct embedded *e = &embedded[i];
		const bool hashed =
			e->hashed[0] && slice_equal(name, slice_of(e->hashed));

		if (!hashed && !slice_equal(name, slice_of(e->name)))
			continue;
		*out = (struct asset){
			.body = {e->begin, (size_t)(e->end - e->begin)},
			.type = e->type,
			.etag = slice_of(e->etag),
			.page = e->page,
			.lasts = hashed,
		};
		return true;
	}
	return false;
}
