/* SPDX-License-Identifier: MIT */
/*
 * The page, in the binary: the files of backend-chat/web, embedded when the
 * program is built. A file other than a page (.html) is also served as
 * /HASH/NAME, and "@NAME@" in a page stands for that. HASH is of all these
 * files together, so modules that import their neighbours by "./NAME" stay in
 * one version, and all but the page may be kept for ever. The HASH of another
 * version gets what this one has, not to be kept: while a cluster is renewed,
 * the page and its files may come of two instances.
 */
#ifndef CHAT_ASSETS_H
#define CHAT_ASSETS_H

#include "core/slice.h"

struct asset {
	struct slice body;
	const char *type;  /* Content-Type */
	struct slice etag; /* with quotes */
	bool page;	   /* with the CSP */
	bool lasts;	   /* asked for by its hash: may be kept for ever */
};

/* path: "/" is index.html. Returns false if there is no such file. */
bool asset_find(struct slice path, struct asset *out);

#endif
