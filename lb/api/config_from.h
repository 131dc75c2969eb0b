/* SPDX-License-Identifier: MIT */
/* config_from.h - where each value of the running configuration comes from */
#ifndef L4LB_API_CONFIG_FROM_H
#define L4LB_API_CONFIG_FROM_H

#include "api/config_ask.h"
#include "control/config_keys.h"

enum from { FROM_DEFAULT, FROM_FILE, FROM_RUNTIME };

/* "default", "file", "runtime". */
const char *from_name(enum from from);

/*
 * The value of a key, as the file would have it, in @value. @s: of the running
 * configuration; NULL for a key of [global].
 */
enum from config_from(const struct configs *c, const struct key *key,
		      const struct service_config *s, struct text *value);

/*
 * The same for what is said of a backend as a whole: was it, and its weight and
 * the rest, in the file?
 */
struct backend_from {
	enum from itself, weight, backup, admin;
};
struct backend_from config_backend_from(const struct configs *c,
					const struct service_config *s,
					const struct backend_config *b);

#endif
