/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "io/tap_match.h"

int tap_match_copy(struct tap_match *to, const struct tap_match *from)
{
	/* One more, as calloc(0) may return NULL. */
	struct endpoint *services =
		calloc(from->n_services + 1, sizeof(*services));
	struct ip_addr *sources = calloc(from->n_sources + 1, sizeof(*sources));

	if (!services || !sources) {
		free(services);
		free(sources);
		*to = (struct tap_match){0};
		return -ENOMEM;
	}
	if (from->n_services)
		memcpy(services, from->services,
		       from->n_services * sizeof(*services));
	if (from->n_sources)
		memcpy(sources, from->sources,
		       from->n_sources * sizeof(*sources));
	*to = *from;
	to->services = services;
	to->sources = sources;
	return 0;
}

void tap_match_free(struct tap_match *m)
{
	free((void *)m->services);
	free((void *)m->sources);
	*m = (struct tap_match){0};
}

bool tap_links_have(const struct tap_links *l, int ifindex)
{
	if (!l->only)
		return true;
	for (unsigned i = 0; i < l->n; i++)
		if (l->ifindex[i] == ifindex)
			return true;
	return false;
}

bool tap_links_equal(const struct tap_links *a, const struct tap_links *b)
{
	return a->only == b->only && a->n == b->n &&
	       memcmp(a->ifindex, b->ifindex, a->n * sizeof(a->ifindex[0])) ==
		       0;
}
