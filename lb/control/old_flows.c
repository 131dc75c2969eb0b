/* SPDX-License-Identifier: MIT */
#include "control/leaving.h"
#include "control/old_flows.h"

static bool has_source(const struct backend_spec *b, const struct ip_addr *addr)
{
	for (unsigned i = 0; i < b->n_sources; i++)
		if (addr_equal(&b->sources[i], addr))
			return true;
	return addr_is_set(&b->alternate) && addr_equal(&b->alternate, addr);
}

/*
 * The place in which the flows of @need continue: one that has their source, or
 * one with room for it, or -1. *configured: the backend has a place that is not
 * only for old flows.
 */
static int find_backend(const struct plan *p, const struct config *config,
			unsigned service, const struct need *need,
			bool *configured)
{
	const struct service_spec *s = &p->services[service];
	int found = -1;

	*configured = false;
	for (unsigned k = 0; k < s->n_backends; k++) {
		const struct backend_spec *b = &s->backends[k];

		if (b->unused || !endpoint_equal(&b->addr, &need->backend))
			continue;
		if (backend_is_live(&config->services[service].backends[k]))
			*configured = true;
		if (has_source(b, &need->source))
			return (int)k;
		/* New flows use only the sources that are configured. */
		if (b->gone && b->n_sources < SERVICE_SOURCES_MAX)
			found = (int)k;
	}
	return found;
}

/* A place for a backend with these flows only; -1: the service is full. */
static int add_backend(struct plan *p, struct config *config, unsigned service,
		       const struct need *need, bool configured)
{
	const enum leave leaves = configured ? LEAVE_KEEP : LEAVE_ON_DOWN;
	const int k =
		leaving_add(&config->services[service], &need->backend, leaves);
	struct service_spec *s = &p->services[service];

	if (k < 0)
		return -1;
	*plan_backend(p, service, (unsigned)k) = (struct backend_spec){
		.addr = need->backend,
		.gone = true,
		.params.then = leaves,
	};
	if ((unsigned)k >= s->n_backends)
		s->n_backends = (unsigned)k + 1;
	return k;
}

static void add_need(struct plan *p, struct config *config, unsigned service,
		     const struct need *need)
{
	struct backend_spec *b;
	struct err ignored;
	bool configured, added;
	int k = find_backend(p, config, service, need, &configured);

	if (k < 0)
		k = add_backend(p, config, service, need, configured);
	if (k < 0) {
		p->lost_room += need->flows;
		return;
	}
	b = plan_backend(p, service, (unsigned)k);
	if (plan_hold(p, service, (unsigned)k, &need->source, &added,
		      &ignored)) {
		p->lost_room += need->flows;
		if (b->n_sources == 0) {
			plan_drop_backend(p, service, (unsigned)k);
			config->services[service].backends[k].slot = SLOT_FREE;
		}
		return;
	}
	/* It may be an alternate, which is the backend's, but not held yet. */
	if (!has_source(b, &need->source))
		b->sources[b->n_sources++] = need->source;
}

static bool is_served(const struct plan *p, const struct need *need,
		      unsigned *service)
{
	for (unsigned i = 0; i < p->n_services; i++) {
		const struct service_spec *s = &p->services[i];

		if (s->unused || !endpoint_equal(&need->vip, &s->listen))
			continue;
		*service = i;
		return true;
	}
	return false;
}

void old_flows_add(struct plan *p, struct config *config,
		   const struct needs *needs)
{
	for (size_t i = 0; i < needs->n; i++) {
		unsigned service;

		if (is_served(p, &needs->list[i], &service))
			add_need(p, config, service, &needs->list[i]);
		else
			p->lost_service += needs->list[i].flows;
	}
}
