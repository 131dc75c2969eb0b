/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "api/config_from.h"
#include "control/diff.h"

const char *from_name(enum from from)
{
	static const char *const names[] = {
		[FROM_DEFAULT] = "default",
		[FROM_FILE] = "file",
		[FROM_RUNTIME] = "runtime",
	};

	return names[from];
}

/* True if @c has the same text for the key. */
static bool has_same(const struct key *key, const struct config *c,
		     const struct service_config *s, const struct text *value)
{
	struct text other = {0};
	bool same;

	key_print(key, c, s, &other);
	same = strcmp(text_get(&other), text_get(value)) == 0;
	text_free(&other);
	return same;
}

/* What a new service would have. */
static bool is_initial(const struct configs *c, const struct key *key,
		       const struct service_config *s, const struct text *value)
{
	struct service_config fresh = {.params = SERVICE_PARAMS_DEFAULT};

	if (!s)
		return has_same(key, &c->initial, NULL, value);
	return has_same(key, &c->initial, &fresh, value);
}

enum from config_from(const struct configs *c, const struct key *key,
		      const struct service_config *s, struct text *value)
{
	const struct service_config *old = NULL;

	key_print(key, &c->running, s, value);
	if (key->flags & KEY_CHOSEN)
		return key_is_set(&c->running, key) ? FROM_FILE : FROM_DEFAULT;
	if (s) {
		old = diff_find_service(&c->base, &s->listen,
					(unsigned)(s - c->running.services));
		if (!old)
			return is_initial(c, key, s, value) ? FROM_DEFAULT
							    : FROM_RUNTIME;
	}
	if (!has_same(key, &c->base, old, value))
		return FROM_RUNTIME;
	return is_initial(c, key, s, value) ? FROM_DEFAULT : FROM_FILE;
}

struct backend_from config_backend_from(const struct configs *c,
					const struct service_config *s,
					const struct backend_config *b)
{
	static const struct backend_params fresh = BACKEND_PARAMS_DEFAULT;
	const struct service_config *old_service = diff_find_service(
		&c->base, &s->listen, (unsigned)(s - c->running.services));
	const struct backend_config *old =
		old_service ? diff_find_backend(old_service, &b->addr,
						(unsigned)(b - s->backends))
			    : NULL;
	const struct backend_params *now = &b->params;
	const struct backend_params *was = old ? &old->params : &fresh;
	const enum from same = old ? FROM_FILE : FROM_DEFAULT;
	struct backend_from from = {
		.itself = old ? FROM_FILE : FROM_RUNTIME,
		.weight = now->weight != was->weight	? FROM_RUNTIME
			  : now->weight == fresh.weight ? FROM_DEFAULT
							: same,
		.backup = now->backup != was->backup	? FROM_RUNTIME
			  : now->backup == fresh.backup ? FROM_DEFAULT
							: same,
		.admin = now->admin != was->admin ? FROM_RUNTIME : FROM_DEFAULT,
	};

	return from;
}
