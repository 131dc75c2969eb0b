/* SPDX-License-Identifier: MIT */
/*
 * ctl.h - what every subcommand of l4lbctl gets, and what it returns
 *
 * l4lbctl asks a running balancer over HTTP, mostly by its Unix socket. One
 * subcommand is one or a few requests, and their answers as text. It holds
 * nothing of the balancer: what it knows, it has from the API's JSON, so that
 * an l4lbctl and an l4lb of different versions understand each other.
 */
#ifndef L4LBCTL_CTL_H
#define L4LBCTL_CTL_H

#include <stdbool.h>
#include <stdio.h>

#include "core/err.h"

/* Exit codes. Each function that returns one writes a sentence if it is not 0.
 */
enum ctl_exit {
	CTL_OK = 0,
	CTL_REFUSED = 1, /* the balancer or this host refuses */
	CTL_USAGE = 2,	 /* wrong by itself */
	CTL_NOBODY = 3,	 /* no balancer answers */
};

/* Options that belong to some subcommands only. */
enum ctl_option {
	OPTION_DRY_RUN = 1 << 0,
	OPTION_LIMIT = 1 << 1,
	OPTION_ALL = 1 << 2,
	OPTION_FOLLOW = 1 << 3,
	OPTION_RESET = 1 << 4,
	OPTION_PRINT = 1 << 5,
	OPTION_RATE = 1 << 6,
	OPTION_SINCE = 1 << 7,
};

struct http;

struct ctl {
	/* Which balancer; NULL: not given. */
	const char *name, *socket, *url, *token_file;
	unsigned given; /* enum ctl_option */
	const char *limit, *since;
	bool json; /* the API's own words instead of tables */
	/* What follows the subcommand and its action. */
	char *const *words;
	unsigned n_words;
	/* Where it is shown. */
	FILE *out;
	unsigned width; /* columns of a table; 0: as wide as it is */
	bool utf8;
	/* Opened when first asked. */
	struct http *http;
};

static inline bool ctl_has(const struct ctl *c, enum ctl_option option)
{
	return c->given & (unsigned)option;
}

#endif
