/* SPDX-License-Identifier: MIT */
/*
 * The page, in the binary: the files of backend-chat/web, embedded when the
 * program is built. A file NAME.EXT other than a page (.html) is also served as
 * NAME.HASH.EXT, and "@NAME.EXT@" in a page stands for that name, so that
 * instances of two versions can serve one browser.
 */
#ifndef CHAT_ASSETS_H
#define CHAT_ASSETS_H

#include "core/slice.h"

struct asset {
	struct slice body;
	const char *type;  /* Content-Type */
	struct slice etag; /* with quotes */
	bool page;	   /* with the CSP */
	bool lasts;	   /* its name has the hash: may be kept for ever */
};

/* path: "/" is index.html. Returns false if there is no such file. */
bool asset_find(struct slice path, struct asset *out);

#endif
