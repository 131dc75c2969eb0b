/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/plan.h"
#include "control/resolve.h"

int plan_add_source(struct plan *p, const struct ip_addr *addr, bool *added,
		    struct err *err)
{
	*added = false;
	for (unsigned i = 0; i < p->n_sources; i++)
		if (addr_equal(&p->sources[i], addr))
			return 0;
	if (p->n_sources == PLAN_SOURCES_MAX)
		return err_set(err, -EINVAL,
			       "more than %d source addresses in all",
			       PLAN_SOURCES_MAX);
	p->sources[p->n_sources++] = *addr;
	*added = true;
	return 0;
}

static int add_source(struct plan *p, const struct ip_addr *addr,
		      struct err *err)
{
	bool added;

	return plan_add_source(p, addr, &added, err);
}

/*
 * An unknown source will most often be the service's address. Guard,
 * reservation and filter are prepared for that, so that later only the engine
 * needs the source.
 */
static int set_up_backend(struct plan *p, const struct service_config *service,
			  const struct backend_config *from,
			  struct backend_spec *to, struct netlink *nl,
			  struct err *err)
{
	struct err later;
	int ret = 0;

	to->addr = from->addr;
	to->params = from->params;
	to->n_sources = 1;
	to->routed = service->n_sources == 0;
	if (service->n_sources) {
		to->n_sources = service->n_sources;
		memcpy(to->sources, service->sources,
		       service->n_sources * sizeof(to->sources[0]));
	} else if (resolve_source(service, &from->addr, nl, &to->sources[0],
				  &later)) {
		memset(&to->sources[0], 0, sizeof(to->sources[0]));
		return add_source(p, &service->listen.addr, err);
	}
	for (unsigned i = 0; i < to->n_sources && !ret; i++)
		ret = add_source(p, &to->sources[i], err);
	if (!ret && !service->n_sources)
		resolve_alternate(service, to, nl);
	return ret;
}

static int set_up_service(struct plan *p, unsigned index,
			  struct backend_spec *backends, struct netlink *nl,
			  struct err *err)
{
	const struct service_config *from = &p->config->services[index];
	struct service_spec *to = &p->services[index];
	int ret;

	to->listen = from->listen;
	to->params = from->params;
	to->n_backends = from->n_backends;
	to->backends = backends;
	p->listens[index] = from->listen;
	for (unsigned i = 0; i < from->n_backends; i++) {
		ret = set_up_backend(p, from, &from->backends[i], &backends[i],
				     nl, err);
		if (ret)
			return ret;
		p->endpoints[p->n_backends++] = from->backends[i].addr;
	}
	return 0;
}

/* Its configured backends, and one for each need of its old flows. */
static unsigned room_for(const struct service_config *service,
			 const struct needs *needs)
{
	unsigned n = service->n_backends;

	for (size_t i = 0; i < needs->n; i++)
		n += endpoint_equal(&needs->list[i].vip, &service->listen);
	return n;
}

static int set_up(struct plan *p, const struct needs *needs, struct netlink *nl,
		  struct err *err)
{
	const struct config *config = p->config;
	struct backend_spec *next;
	unsigned backends = 0;
	int ret;

	for (unsigned i = 0; i < config->n_services; i++)
		backends += room_for(&config->services[i], needs);
	p->n_services = config->n_services;
	p->services = calloc(p->n_services, sizeof(*p->services));
	p->listens = calloc(p->n_services, sizeof(*p->listens));
	p->backends = calloc(backends, sizeof(*p->backends));
	p->endpoints = calloc(backends, sizeof(*p->endpoints));
	if (!p->services || !p->listens || !p->backends || !p->endpoints)
		return err_set(err, -ENOMEM, "out of memory");
	next = p->backends;
	for (unsigned i = 0; i < p->n_services; i++) {
		ret = set_up_service(p, i, next, nl, err);
		if (ret)
			return ret;
		next += room_for(&config->services[i], needs);
	}
	return 0;
}

int plan_new(struct plan **out, const struct config *config,
	     const struct needs *needs, struct netlink *nl, struct err *err)
{
	struct plan *p = calloc(1, sizeof(*p));
	int ret;

	if (!p)
		return err_set(err, -ENOMEM, "out of memory");
	p->config = config;
	ret = set_up(p, needs, nl, err);
	if (ret) {
		plan_free(p);
		return ret;
	}
	*out = p;
	return 0;
}

void plan_free(struct plan *p)
{
	if (!p)
		return;
	free(p->services);
	free(p->listens);
	free(p->backends);
	free(p->endpoints);
	free(p);
}

struct backend_spec *plan_backends(struct plan *p, unsigned service)
{
	return &p->backends[p->services[service].backends - p->backends];
}

bool plan_without_syn_checks(struct plan *p)
{
	bool any = false;

	for (unsigned i = 0; i < p->n_services; i++) {
		struct service_spec *service = &p->services[i];

		if (!service->params.checked ||
		    service->params.check.kind != CHECK_SYN)
			continue;
		service->params.checked = false;
		any = true;
	}
	return any;
}

bool plan_has_unset(const struct plan *p)
{
	for (unsigned i = 0; i < p->n_services; i++)
		for (unsigned k = 0; k < p->services[i].n_backends; k++)
			if (!addr_is_set(
				    &p->services[i].backends[k].sources[0]))
				return true;
	return false;
}

bool plan_has_local_backend(const struct plan *p, struct netlink *nl)
{
	for (unsigned i = 0; i < p->n_backends; i++)
		if (resolve_is_local(&p->endpoints[i].addr, nl))
			return true;
	return false;
}
