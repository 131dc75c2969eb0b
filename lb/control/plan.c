/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/plan.h"
#include "control/resolve.h"

/* ------------------------------------------------------------------ sources */

static bool set_has(const struct source_set *set, unsigned i)
{
	return set->bits[i / 64] >> i % 64 & 1;
}

static struct source_set *held_by(const struct plan *p, unsigned service,
				  unsigned backend)
{
	return &p->backends[service]->held[backend];
}

int plan_find_source(const struct plan *p, const struct ip_addr *source)
{
	for (unsigned i = 0; i < p->n_sources; i++)
		if (p->sources[i].holders &&
		    addr_equal(&p->sources[i].addr, source))
			return (int)i;
	return -1;
}

/* A free place, or -1. */
static int free_source(struct plan *p)
{
	for (unsigned i = 0; i < p->n_sources; i++)
		if (p->sources[i].holders == 0)
			return (int)i;
	return p->n_sources < PLAN_SOURCES_MAX ? (int)p->n_sources++ : -1;
}

int plan_hold(struct plan *p, unsigned service, unsigned backend,
	      const struct ip_addr *source, bool *added, struct err *err)
{
	struct source_set *held = held_by(p, service, backend);
	int i = plan_find_source(p, source);

	*added = i < 0;
	if (i >= 0 && set_has(held, (unsigned)i))
		return 0;
	if (i < 0)
		i = free_source(p);
	if (i < 0)
		return err_set(err, -ENOSPC,
			       "more than %d source addresses in all",
			       PLAN_SOURCES_MAX);
	p->sources[i].addr = *source;
	p->sources[i].holders++;
	held->bits[i / 64] |= 1ull << i % 64;
	return 0;
}

void plan_unhold(struct plan *p, unsigned service, unsigned backend,
		 const struct ip_addr *source)
{
	struct source_set *held = held_by(p, service, backend);
	const int i = plan_find_source(p, source);

	if (i < 0 || !set_has(held, (unsigned)i))
		return;
	held->bits[i / 64] &= ~(1ull << i % 64);
	p->sources[i].holders--;
}

bool plan_next_held(const struct plan *p, unsigned service, unsigned backend,
		    struct ip_addr *source, bool *alone)
{
	const struct source_set *held = held_by(p, service, backend);

	for (unsigned i = 0; i < p->n_sources; i++) {
		if (!set_has(held, i))
			continue;
		*source = p->sources[i].addr;
		*alone = p->sources[i].holders == 1;
		return true;
	}
	return false;
}

bool plan_needed_source(const struct plan *p, unsigned service,
			unsigned backend, unsigned n, struct ip_addr *out)
{
	const struct backend_spec *b = plan_backend(p, service, backend);

	if (n >= b->n_sources)
		return false;
	*out = addr_is_set(&b->sources[n]) ? b->sources[n]
					   : p->services[service].listen.addr;
	return true;
}

unsigned plan_sources(const struct plan *p,
		      struct ip_addr out[PLAN_SOURCES_MAX])
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->n_sources; i++)
		if (p->sources[i].holders)
			out[n++] = p->sources[i].addr;
	return n;
}

/* ------------------------------------------------------------------- places */

/* All places of a service that are not in use say so. */
static struct plan_backends *new_backends(void)
{
	struct plan_backends *b = calloc(1, sizeof(*b));

	for (unsigned k = 0; b && k < SERVICE_BACKENDS_MAX; k++)
		b->specs[k].unused = true;
	return b;
}

int plan_set_service(struct plan *p, const struct config *config,
		     unsigned service, struct err *err)
{
	struct service_spec *s = &p->services[service];

	if (!p->backends[service])
		p->backends[service] = new_backends();
	if (!p->backends[service])
		return err_set(err, -ENOMEM, "out of memory");
	*s = (struct service_spec){
		.listen = config->services[service].listen,
		.backends = p->backends[service]->specs,
	};
	plan_change_service(p, config, service);
	if (service >= p->n_services)
		p->n_services = service + 1;
	return 0;
}

void plan_change_service(struct plan *p, const struct config *config,
			 unsigned service)
{
	struct service_params *params = &p->services[service].params;

	*params = config->services[service].params;
	if (p->strays_spared[service])
		params->reset_out_of_state = false;
	if (p->without_syn_checks && params->check.kind == CHECK_SYN)
		params->checked = false;
}

void plan_set_backend(struct plan *p, const struct config *config,
		      unsigned service, unsigned backend, struct netlink *nl)
{
	const struct service_config *of = &config->services[service];
	const struct backend_config *from = &of->backends[backend];
	struct service_spec *s = &p->services[service];
	struct backend_spec *b = plan_backend(p, service, backend);
	struct err later;

	*b = (struct backend_spec){
		.addr = from->addr,
		.params = from->params,
		.n_sources = of->n_sources ? of->n_sources : 1,
		.routed = of->n_sources == 0,
	};
	if (backend >= s->n_backends)
		s->n_backends = backend + 1;
	if (of->n_sources)
		memcpy(b->sources, of->sources,
		       of->n_sources * sizeof(b->sources[0]));
	else if (resolve_source(of, &from->addr, nl, &b->sources[0], &later))
		memset(&b->sources[0], 0, sizeof(b->sources[0]));
	else
		resolve_alternate(of, b, nl);
}

void plan_change_backend(struct plan *p, const struct config *config,
			 unsigned service, unsigned backend)
{
	plan_backend(p, service, backend)->params =
		config->services[service].backends[backend].params;
}

void plan_drop_service(struct plan *p, unsigned service)
{
	p->services[service] = (struct service_spec){.unused = true};
	p->strays_spared[service] = false;
}

void plan_drop_backend(struct plan *p, unsigned service, unsigned backend)
{
	*plan_backend(p, service, backend) =
		(struct backend_spec){.unused = true};
}

struct backend_spec *plan_backend(const struct plan *p, unsigned service,
				  unsigned backend)
{
	return &p->backends[service]->specs[backend];
}

/* ------------------------------------------------------------- at the start */

static int set_up_backend(struct plan *p, const struct config *config,
			  unsigned service, unsigned backend,
			  struct netlink *nl, struct err *err)
{
	const struct backend_config *from =
		&config->services[service].backends[backend];
	struct ip_addr source;
	bool added;
	int ret = 0;

	plan_set_backend(p, config, service, backend, nl);
	/* Removed at run time, before a restart: it goes on leaving. */
	if (from->slot == SLOT_LEAVING) {
		plan_backend(p, service, backend)->gone = true;
		plan_backend(p, service, backend)->params.then = from->leaves;
	}
	for (unsigned n = 0;
	     !ret && plan_needed_source(p, service, backend, n, &source); n++)
		ret = plan_hold(p, service, backend, &source, &added, err);
	return ret;
}

static int set_up_service(struct plan *p, const struct config *config,
			  unsigned service, struct netlink *nl, struct err *err)
{
	const struct service_config *from = &config->services[service];
	int ret = plan_set_service(p, config, service, err);

	for (unsigned k = 0; !ret && k < from->n_backends; k++)
		if (from->backends[k].slot != SLOT_FREE)
			ret = set_up_backend(p, config, service, k, nl, err);
	return ret;
}

int plan_new(struct plan **out, const struct config *config, struct netlink *nl,
	     struct err *err)
{
	struct plan *p = calloc(1, sizeof(*p));
	int ret = 0;

	if (!p)
		return err_set(err, -ENOMEM, "out of memory");
	for (unsigned i = 0; i < CONFIG_SERVICES_MAX; i++)
		p->services[i].unused = true;
	for (unsigned i = 0; !ret && i < config->n_services; i++)
		if (config->services[i].slot != SLOT_FREE)
			ret = set_up_service(p, config, i, nl, err);
	if (ret)
		plan_free(p);
	else
		*out = p;
	return ret;
}

void plan_free(struct plan *p)
{
	if (!p)
		return;
	for (unsigned i = 0; i < CONFIG_SERVICES_MAX; i++)
		free(p->backends[i]);
	free(p);
}

/* ---------------------------------------------------------------- questions */

unsigned plan_listens(const struct plan *p,
		      struct endpoint out[CONFIG_SERVICES_MAX])
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->n_services; i++)
		if (!p->services[i].unused)
			out[n++] = p->services[i].listen;
	return n;
}

/* Calls @visit for every backend in use, until it returns true. */
static bool any_backend(const struct plan *p,
			bool (*visit)(void *arg, const struct backend_spec *b),
			void *arg)
{
	for (unsigned i = 0; i < p->n_services; i++) {
		const struct service_spec *s = &p->services[i];

		for (unsigned k = 0; !s->unused && k < s->n_backends; k++)
			if (!s->backends[k].unused &&
			    visit(arg, &s->backends[k]))
				return true;
	}
	return false;
}

static bool count_one(void *arg, const struct backend_spec *b)
{
	size_t *n = arg;

	(void)b;
	++*n;
	return false;
}

static bool list_one(void *arg, const struct backend_spec *b)
{
	struct endpoint **next = arg;

	*(*next)++ = b->addr;
	return false;
}

int plan_endpoints(const struct plan *p, struct endpoint **out, size_t *n)
{
	struct endpoint *next;

	*n = 0;
	(void)any_backend(p, count_one, n);
	*out = next = calloc(*n + 1, sizeof(**out));
	if (!next)
		return -ENOMEM;
	(void)any_backend(p, list_one, &next);
	return 0;
}

static bool is_unset(void *arg, const struct backend_spec *b)
{
	(void)arg;
	return !addr_is_set(&b->sources[0]);
}

bool plan_has_unset(const struct plan *p)
{
	return any_backend(p, is_unset, NULL);
}

static bool is_local(void *arg, const struct backend_spec *b)
{
	return resolve_is_local(&b->addr.addr, arg);
}

bool plan_has_local_backend(const struct plan *p, struct netlink *nl)
{
	return any_backend(p, is_local, nl);
}

bool plan_without_syn_checks(struct plan *p)
{
	bool any = false;

	p->without_syn_checks = true;
	for (unsigned i = 0; i < p->n_services; i++) {
		struct service_spec *service = &p->services[i];

		if (service->unused || !service->params.checked ||
		    service->params.check.kind != CHECK_SYN)
			continue;
		service->params.checked = false;
		any = true;
	}
	return any;
}

void plan_spare_strays(struct plan *p, unsigned service)
{
	p->strays_spared[service] = true;
	p->services[service].params.reset_out_of_state = false;
}
