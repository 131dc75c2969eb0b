/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "control/leaving.h"

static bool has_id(const struct service_config *s, const char *id)
{
	for (unsigned k = 0; k < s->n_backends; k++)
		if (s->backends[k].slot != SLOT_FREE &&
		    strcmp(s->backends[k].id, id) == 0)
			return true;
	return false;
}

/*
 * There are more names than places. Each place begins with another one, as all
 * backends of a service may leave at once.
 */
static void name_it(const struct service_config *s, unsigned place,
		    char id[CONFIG_NAME_MAX])
{
	unsigned n = place + 1;

	do
		snprintf(id, CONFIG_NAME_MAX, "old%u", n++);
	while (has_id(s, id));
}

/* The lowest free place, or -1. */
static int free_place(struct service_config *s)
{
	for (unsigned k = 0; k < CONFIG_BACKENDS_MAX; k++) {
		if (s->backends[k].slot != SLOT_FREE)
			continue;
		if (k >= s->n_backends)
			s->n_backends = k + 1;
		return (int)k;
	}
	return -1;
}

int leaving_add(struct service_config *s, const struct endpoint *addr,
		enum leave leaves)
{
	struct backend_config b = {
		.slot = SLOT_LEAVING,
		.leaves = leaves,
		.addr = *addr,
		.params = BACKEND_PARAMS_DEFAULT,
	};
	const int k = free_place(s);

	if (k < 0)
		return -1;
	name_it(s, (unsigned)k, b.id);
	s->backends[k] = b;
	return k;
}

int leaving_move(struct service_config *s, unsigned backend)
{
	const int k = free_place(s);
	struct backend_config *old = &s->backends[backend];
	char id[CONFIG_NAME_MAX];

	if (k < 0)
		return -1;
	s->backends[k] = *old;
	name_it(s, backend,
		id); /* not in place: it looks at all ids, old->id too */
	memcpy(old->id, id, sizeof(id));
	old->slot = SLOT_LEAVING;
	old->leaves = LEAVE_KEEP;
	return k;
}
