/* SPDX-License-Identifier: MIT */
#include "control/old_flows.h"

static bool has_source(const struct backend_spec *b, const struct ip_addr *addr)
{
	for (unsigned i = 0; i < b->n_sources; i++)
		if (addr_equal(&b->sources[i], addr))
			return true;
	return addr_is_set(&b->alternate) && addr_equal(&b->alternate, addr);
}

/*
 * The entry in which the flows of @need continue: one that has their source, or
 * one with room for it, or NULL. @configured gets the backend's configured
 * entry, or NULL.
 */
static struct backend_spec *find_backend(const struct service_spec *service,
					 unsigned n_configured,
					 const struct need *need,
					 struct backend_spec *backends,
					 const struct backend_spec **configured)
{
	struct backend_spec *found = NULL;

	*configured = NULL;
	for (unsigned i = 0; i < service->n_backends; i++) {
		struct backend_spec *b = &backends[i];

		if (!endpoint_equal(&b->addr, &need->backend))
			continue;
		if (i < n_configured)
			*configured = b;
		if (has_source(b, &need->source))
			return b;
		/* New flows use only the sources that are configured. */
		if (i >= n_configured && b->n_sources < SERVICE_SOURCES_MAX)
			found = b;
	}
	return found;
}

static void add_need(struct plan *p, struct service_spec *service,
		     unsigned n_configured, struct backend_spec *backends,
		     const struct need *need)
{
	const struct backend_spec *configured;
	struct backend_spec *b;
	struct err ignored;
	bool added;

	b = find_backend(service, n_configured, need, backends, &configured);
	if (b && has_source(b, &need->source)) {
		/* Its source may be an alternate, which is not listed yet. */
		(void)plan_add_source(p, &need->source, &added, &ignored);
		return;
	}
	if ((!b && service->n_backends == SERVICE_BACKENDS_MAX) ||
	    plan_add_source(p, &need->source, &added, &ignored)) {
		p->lost_room += need->flows;
		return;
	}
	if (!b) {
		b = &backends[service->n_backends++];
		b->addr = need->backend;
		b->gone = !configured;
		b->undrained = configured && configured->params.weight > 0;
		p->endpoints[p->n_backends++] = need->backend;
	}
	b->sources[b->n_sources++] = need->source;
}

static void add_needs(struct plan *p, unsigned index, const struct needs *needs)
{
	struct service_spec *service = &p->services[index];
	struct backend_spec *backends = plan_backends(p, index);
	const unsigned n_configured = service->n_backends;

	for (size_t i = 0; i < needs->n; i++)
		if (endpoint_equal(&needs->list[i].vip, &service->listen))
			add_need(p, service, n_configured, backends,
				 &needs->list[i]);
}

static void count_lost(struct plan *p, const struct needs *needs)
{
	for (size_t i = 0; i < needs->n; i++) {
		unsigned k = 0;

		while (k < p->n_services &&
		       !endpoint_equal(&needs->list[i].vip, &p->listens[k]))
			k++;
		if (k == p->n_services)
			p->lost_service += needs->list[i].flows;
	}
}

void old_flows_add(struct plan *p, const struct needs *needs)
{
	for (unsigned i = 0; i < p->n_services; i++)
		add_needs(p, i, needs);
	count_lost(p, needs);
}
