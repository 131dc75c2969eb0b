/* SPDX-License-Identifier: MIT */
/* config.keys.h - the keys of [global] and of [service NAME] */
#ifndef L4LB_CONFIG_KEYS_H
#define L4LB_CONFIG_KEYS_H

#include "control/config.h"

/* What a key's function works on. */
struct target {
	struct config *config;
	struct service_config *service; /* NULL in [global] */
	config_resolve_fn *resolve;	/* NULL: refuse host names */
};

struct key {
	const char *name;
	/* Checks and stores; the reason in @err is without file and line. */
	int (*set)(struct target *t, const char *value, struct err *err);
	bool repeatable;
};

#define KEYS_MAX 16 /* of one table */

struct key_table {
	const char *section; /* as users write it */
	const struct key *keys;
	unsigned n;
};

extern const struct key_table keys_global;
extern const struct key_table keys_service;

const struct key *key_find(const struct key_table *table, const char *name);

#endif
