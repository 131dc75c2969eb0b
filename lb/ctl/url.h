/* SPDX-License-Identifier: MIT */
/*
 * url.h - the path and query of a request, from words that a user typed
 */
#ifndef L4LBCTL_URL_H
#define L4LBCTL_URL_H

#include <stdbool.h>
#include <stddef.h>

#define URL_MAX 4096 /* bytes, with the final 0 */

struct url {
	char text[URL_MAX];
	size_t len;
	bool query;    /* it has a ? */
	bool too_long; /* what was added last did not fit, and is not there */
};

/* @path is taken as it is: "/lb/flows". */
void url_start(struct url *u, const char *path);
/* "/" and @part, escaped, so that it is one part of the path. */
void url_part(struct url *u, const char *part);
/* "?" or "&", then key=value, both escaped. */
void url_query(struct url *u, const char *key, const char *value);
/*
 * A term of a filter: "state=ESTABLISHED" becomes a key and its value,
 * "age>10m" a key without a value.
 */
void url_term(struct url *u, const char *term);

#endif
