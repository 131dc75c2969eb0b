/* SPDX-License-Identifier: MIT */
/* config_keys.h - the keys of [global] and of [service NAME] */
#ifndef L4LB_CONFIG_KEYS_H
#define L4LB_CONFIG_KEYS_H

#include <stddef.h>

#include "control/config.h"
#include "control/text.h"

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

/* Flags of a key. */
#define KEY_REPEATABLE 1u /* each line of the file adds to a list */
#define KEY_RESTART    2u /* fixed while the program runs */
#define KEY_CHOSEN     4u /* has a value that the user did not choose, too */

struct key {
	const char *name;
	/*
	 * Checks and stores the value. On failure @err has the reason without
	 * file and line.
	 */
	int (*set)(struct target *t, const char *value, struct err *err);
	/*
	 * Adds the value as .set takes it, a list as a whole. NULL: it has no
	 * single value.
	 */
	void (*print)(const struct target *t, struct text *out);
	unsigned flags;
	struct key_field field;
};

#define KEYS_MAX 48 /* per table */

struct key_table {
	const char *section; /* as the user writes it */
	const struct key *keys;
	unsigned n;
};

extern const struct key_table keys_global;
extern const struct key_table keys_service;

const struct key *key_find(const struct key_table *table, const char *name);

/* Says that @table has no such key, and which one may be meant: -EINVAL. */
int key_unknown(const struct key_table *table, const char *name,
		struct err *err);

/*
 * Sets a key as a command does, and an option of the command line: a list
 * replaces the one before. A failure may leave the target half changed.
 */
int key_set_whole(struct target *t, const char *value, struct err *err);

/* Of a key with KEY_CHOSEN: whether the user has chosen its value. */
bool key_is_set(const struct config *c, const struct key *key);
/* Adds the value of a key. @s: NULL for a key of [global]. */
void key_print(const struct key *key, const struct config *c,
	       const struct service_config *s, struct text *out);

#endif
