/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "api/config_ini.h"
#include "api/look.h"
#include "control/config_keys.h"

static bool is_default(const struct key *key, const struct config *c,
		       const struct config *initial,
		       const struct service_config *s, const struct text *value)
{
	const struct service_config fresh = {.params = SERVICE_PARAMS_DEFAULT};
	struct text other = {0};
	bool same;

	if (key->flags & KEY_CHOSEN)
		return !key_is_set(c, key);
	key_print(key, initial, s ? &fresh : NULL, &other);
	same = strcmp(text_get(&other), text_get(value)) == 0;
	text_free(&other);
	return same;
}

static void print_keys(const struct config *c, const struct config *initial,
		       const struct key_table *table,
		       const struct service_config *s, struct text *out)
{
	struct text value = {0};

	for (unsigned i = 0; i < table->n; i++) {
		const struct key *key = &table->keys[i];

		if (!key->print)
			continue;
		text_cut(&value, 0);
		key_print(key, c, s, &value);
		if (!is_default(key, c, initial, s, &value))
			text_add(out, "%s = %s\n", key->name, text_get(&value));
	}
	out->failed |= value.failed;
	text_free(&value);
}

/* The file has no word for what only a command can say. */
static void print_backend(const struct backend_config *b, struct text *out)
{
	char address[ENDPOINT_TEXT_MAX];

	text_add(out, "backend = %s", endpoint_format(&b->addr, address));
	if (b->params.weight != 1)
		text_add(out, " weight=%u", b->params.weight);
	if (b->params.backup)
		text_add(out, " backup");
	if (!config_id_is_automatic(b->id))
		text_add(out, " id=%s", b->id);
	text_add(out, "\n");
	if (b->params.admin != ADMIN_ENABLED)
		text_add(out, "# %s: %s, by a command\n", b->id,
			 look_admin_name(b->params.admin));
}

void config_print_ini(const struct config *c, const struct config *initial,
		      struct text *out)
{
	text_add(out, "[global]\n");
	print_keys(c, initial, &keys_global, NULL, out);
	for (unsigned i = 0; i < c->n_services; i++) {
		const struct service_config *s = &c->services[i];

		if (!service_is_live(s))
			continue;
		text_add(out, "\n[service %s]\n", s->name);
		print_keys(c, initial, &keys_service, s, out);
		for (unsigned k = 0; k < s->n_backends; k++)
			if (backend_is_live(&s->backends[k]))
				print_backend(&s->backends[k], out);
	}
}
