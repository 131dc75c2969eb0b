/* SPDX-License-Identifier: MIT */
/*
 * uri.h - what was asked for: the path and the query of a request, decoded
 *
 * Pure. Whatever a client sends becomes segments and pairs of clean text (UTF-8
 * without control characters), or one sentence.
 */
#ifndef L4LB_API_URI_H
#define L4LB_API_URI_H

#include "core/err.h"

#define URI_MAX		 4096 /* bytes as sent */
#define URI_SEGMENTS_MAX 8
#define URI_PAIRS_MAX	 32

struct uri_pair {
	const char *name;
	const char *value; /* NULL: there was no '=' */
};

struct uri {
	unsigned n_segments; /* 0: the path is "/" */
	const char *segment[URI_SEGMENTS_MAX];
	unsigned n_pairs;
	struct uri_pair pair[URI_PAIRS_MAX];
	char bytes[URI_MAX + 1]; /* the texts lie here */
};

/*
 * Splits "/lb/flows?client=10.0.0.1&age>5s" and decodes %XX in all parts, and
 * '+' in the query. -ENAMETOOLONG: more than URI_MAX bytes; -EINVAL: it begins
 * with no '/', has too many parts, or a bad %XX or character.
 */
int uri_parse(struct uri *uri, const char *text, struct err *err);

/* The value of the first pair of that name, "" without '='; NULL: none. */
const char *uri_value(const struct uri *uri, const char *name);

#endif
