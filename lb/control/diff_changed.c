/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/diff_changed.h"

/* Padding may differ: then they only look different. */
static bool is_same(const struct service_config *a,
		    const struct service_config *b)
{
	struct service_config x = *a, y = *b;

	x.backends = y.backends = NULL;
	return memcmp(&x, &y, sizeof(x)) == 0 &&
	       (a->n_backends == 0 ||
		memcmp(a->backends, b->backends,
		       a->n_backends * sizeof(*a->backends)) == 0);
}

/* Copies without the services that both have; their backends are borrowed. */
static void leave_out(struct config *from, struct config *to,
		      struct service_config *services)
{
	struct service_config *a = services, *b = a + CONFIG_SERVICES_MAX;
	const unsigned n = from->n_services > to->n_services ? from->n_services
							     : to->n_services;

	for (unsigned i = 0; i < n; i++) {
		if (i < from->n_services)
			a[i] = from->services[i];
		if (i < to->n_services)
			b[i] = to->services[i];
		if (i < from->n_services && i < to->n_services &&
		    is_same(&a[i], &b[i]))
			a[i].slot = b[i].slot = SLOT_FREE;
	}
	from->services = a;
	to->services = b;
}

int diff_changed(const struct config *from, const struct config *to,
		 struct text *out)
{
	struct config a = *from, b = *to;
	struct service_config *services =
		calloc(2 * CONFIG_SERVICES_MAX, sizeof(*services));
	int ret;

	if (!services)
		return -ENOMEM;
	leave_out(&a, &b, services);
	ret = diff_print(&a, &b, out);
	free(services);
	return ret;
}
