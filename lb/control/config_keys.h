/* SPDX-License-Identifier: MIT */
/* config_keys.h - the keys of [global] and of [service NAME] */
#ifndef L4LB_CONFIG_KEYS_H
#define L4LB_CONFIG_KEYS_H

#include <stddef.h>

#include "control/config.h"

/* What the function of a key works on. */
struct target {
	struct config *config;
	struct service_config *service; /* NULL in [global] */
	const struct key *key;
	config_resolve_fn *resolve; /* NULL: refuse host names */
};

/* For keys that set one field of the section's struct, at @offset. */
struct key_field {
	size_t offset;
	/* Of a uint32_t: the range of the value, of a time in milliseconds. */
	uint32_t lo, hi;
	/* Of a bool: the words that a user writes. words[0] means @first. */
	bool first;
	const char *words[2];
};

struct key {
	const char *name;
	/*
	 * Checks and stores the value. On failure @err has the reason without
	 * file and line.
	 */
	int (*set)(struct target *t, const char *value, struct err *err);
	bool repeatable;
	struct key_field field;
};

#define KEYS_MAX 32 /* per table */

struct key_table {
	const char *section; /* as the user writes it */
	const struct key *keys;
	unsigned n;
};

extern const struct key_table keys_global;
extern const struct key_table keys_service;

const struct key *key_find(const struct key_table *table, const char *name);

#endif
