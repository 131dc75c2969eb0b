/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "setup.h"

int setup_add_source(struct setup *s, const struct ip_addr *addr, bool *added,
		     struct err *err)
{
	*added = false;
	for (unsigned i = 0; i < s->n_sources; i++)
		if (addr_equal(&s->sources[i], addr))
			return 0;
	if (s->n_sources == SETUP_SOURCES_MAX)
		return err_set(err, -EINVAL,
			       "more than %d source addresses in all",
			       SETUP_SOURCES_MAX);
	s->sources[s->n_sources++] = *addr;
	*added = true;
	return 0;
}

static int add_source(struct setup *s, const struct ip_addr *addr,
		      struct err *err)
{
	bool added;

	return setup_add_source(s, addr, &added, err);
}

void setup_remove_source(struct setup *s)
{
	s->n_sources--;
}

bool setup_is_local(const struct ip_addr *addr, struct netlink *nl)
{
	struct route route;
	struct err err;

	if (netlink_addr_ifindex(nl, addr) || addr_is_loopback(addr))
		return true;
	/* A route of type local can make a whole prefix local. */
	return netlink_route(nl, NULL, addr, &route, &err) == 0 && route.local;
}

/*
 * Chooses our source address toward a backend when the user did not. The VIP,
 * if the backend is reached by the interface that holds it or by lo: then
 * nothing changes in the simplest set-up. Else the source that the route
 * prefers: then a backend never needs a route of its own.
 */
int setup_source(const struct service_config *service,
		 const struct endpoint *backend, struct netlink *nl,
		 struct ip_addr *out, struct err *err)
{
	char text[ENDPOINT_TEXT_MAX];
	struct route route;
	struct err why;
	int ret;

	/* Within this host no route is needed. */
	if (service->n_sources && addr_is_loopback(&backend->addr)) {
		*out = service->sources[0];
		return 0;
	}
	ret = netlink_route(nl, NULL, &backend->addr, &route, &why);
	if (ret)
		return err_set(err, ret, "service %s: no way to backend %s: %s",
			       service->name, endpoint_format(backend, text),
			       why.text);
	if (service->n_sources)
		*out = service->sources[0];
	else if (route.local)
		*out = service->listen.addr;
	else if (!setup_is_local(&service->listen.addr, nl))
		/* Does that interface hold the VIP? */
		return err_set(err, -EADDRNOTAVAIL,
			       "service %s: its address is not there",
			       service->name);
	else if (route.ifindex ==
		 netlink_addr_ifindex(nl, &service->listen.addr))
		*out = service->listen.addr;
	else
		*out = route.prefsrc;
	return 0;
}

/*
 * Servers that were once behind direct routing may still hold the service's
 * address, and drop packets from it as their own. If the route prefers another
 * source, that one is tried when the first gets no answer.
 */
static void find_alternate(const struct service_config *service,
			   struct backend_spec *b, struct netlink *nl)
{
	struct route route;
	struct err none;

	if (!addr_equal(&b->sources[0], &service->listen.addr) ||
	    netlink_route(nl, NULL, &b->addr.addr, &route, &none) ||
	    route.local || !addr_is_set(&route.prefsrc) ||
	    addr_equal(&route.prefsrc, &b->sources[0]))
		return;
	b->alternate = route.prefsrc;
	/* Such servers do not answer ARP from that address either. */
	netlink_resolve(nl, route.ifindex,
			route.has_gateway ? &route.gateway : &b->addr.addr);
}

/*
 * An unknown source will most often be the service's address. Guard,
 * reservation and filter are prepared for that, so that later only the engine
 * needs the source.
 */
static int set_up_backend(struct setup *s, const struct service_config *service,
			  const struct backend_config *from,
			  struct backend_spec *to, struct netlink *nl,
			  struct err *err)
{
	struct err later;
	int ret = 0;

	to->addr = from->addr;
	to->weight = from->weight;
	to->backup = from->backup;
	to->n_sources = 1;
	to->routed = service->n_sources == 0;
	if (service->n_sources) {
		to->n_sources = service->n_sources;
		memcpy(to->sources, service->sources,
		       service->n_sources * sizeof(to->sources[0]));
	} else if (setup_source(service, &from->addr, nl, &to->sources[0],
				&later)) {
		memset(&to->sources[0], 0, sizeof(to->sources[0]));
		return add_source(s, &service->listen.addr, err);
	}
	for (unsigned i = 0; i < to->n_sources && !ret; i++)
		ret = add_source(s, &to->sources[i], err);
	if (!ret && !service->n_sources)
		find_alternate(service, to, nl);
	return ret;
}

static int set_up_service(struct setup *s, unsigned index,
			  struct backend_spec *backends, struct netlink *nl,
			  struct err *err)
{
	const struct service_config *from = &s->config->services[index];
	struct service_spec *to = &s->services[index];
	int ret;

	to->listen = from->listen;
	to->scheduler = from->scheduler;
	to->reset_out_of_state = from->out_of_state == OUT_OF_STATE_RESET;
	to->drop_all_down = from->drop_all_down;
	to->mptcp_pass = from->mptcp_pass;
	to->keep_on_down = from->keep_on_down;
	to->retries = from->retries;
	to->syn_timeout_ms = from->syn_timeout_ms;
	to->half_open_max = from->half_open_max;
	to->drain_timeout_s = from->drain_timeout_s;
	to->checked = from->checked;
	to->check = from->check;
	to->health = from->health;
	to->breaker = from->breaker;
	to->n_backends = from->n_backends;
	to->backends = backends;
	s->listens[index] = from->listen;
	for (unsigned i = 0; i < from->n_backends; i++) {
		ret = set_up_backend(s, from, &from->backends[i], &backends[i],
				     nl, err);
		if (ret)
			return ret;
		s->endpoints[s->n_backends++] = from->backends[i].addr;
	}
	return 0;
}

/* -------------------------------------------------- what old flows need */

/* Backends that flows in the state file need. */
struct needs {
	struct state_backend *list;
	size_t n;
};

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
					 const struct state_backend *need,
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

static void add_need(struct setup *s, struct service_spec *service,
		     unsigned n_configured, struct backend_spec *backends,
		     const struct state_backend *need)
{
	const struct backend_spec *configured;
	struct backend_spec *b;
	struct err ignored;

	b = find_backend(service, n_configured, need, backends, &configured);
	if (b && has_source(b, &need->source)) {
		(void)add_source(s, &need->source, &ignored); /* an alternate */
		return;
	}
	if ((!b && service->n_backends == SERVICE_BACKENDS_MAX) ||
	    add_source(s, &need->source, &ignored)) {
		s->lost_room += need->flows;
		return;
	}
	if (!b) {
		b = &backends[service->n_backends++];
		b->addr = need->backend;
		b->gone = !configured;
		b->undrained = configured && configured->weight > 0;
		s->endpoints[s->n_backends++] = need->backend;
	}
	b->sources[b->n_sources++] = need->source;
}

static void add_needs(struct setup *s, unsigned index,
		      struct backend_spec *backends, const struct needs *needs)
{
	struct service_spec *service = &s->services[index];
	unsigned n_configured = service->n_backends;

	for (size_t i = 0; i < needs->n; i++)
		if (endpoint_equal(&needs->list[i].vip, &service->listen))
			add_need(s, service, n_configured, backends,
				 &needs->list[i]);
}

/* The number of entries that a service listening at @listen may need. */
static unsigned count_needs(const struct needs *needs,
			    const struct endpoint *listen)
{
	unsigned n = 0;

	for (size_t i = 0; i < needs->n; i++)
		n += endpoint_equal(&needs->list[i].vip, listen);
	return n;
}

static void count_lost(struct setup *s, const struct needs *needs)
{
	for (size_t i = 0; i < needs->n; i++) {
		unsigned k = 0;

		while (k < s->n_services &&
		       !endpoint_equal(&needs->list[i].vip, &s->listens[k]))
			k++;
		if (k == s->n_services)
			s->lost_service += needs->list[i].flows;
	}
}

/* ------------------------------------------------------------ all of it */

static unsigned room_for(const struct service_config *service,
			 const struct needs *needs)
{
	return service->n_backends + count_needs(needs, &service->listen);
}

static int set_up(struct setup *s, const struct needs *needs,
		  struct netlink *nl, struct err *err)
{
	const struct config *config = s->config;
	struct backend_spec *next;
	unsigned backends = 0;
	int ret;

	for (unsigned i = 0; i < config->n_services; i++)
		backends += room_for(&config->services[i], needs);
	s->n_services = config->n_services;
	s->services = calloc(s->n_services, sizeof(*s->services));
	s->listens = calloc(s->n_services, sizeof(*s->listens));
	s->backends = calloc(backends, sizeof(*s->backends));
	s->endpoints = calloc(backends, sizeof(*s->endpoints));
	if (!s->services || !s->listens || !s->backends || !s->endpoints)
		return err_set(err, -ENOMEM, "out of memory");
	next = s->backends;
	for (unsigned i = 0; i < s->n_services; i++) {
		ret = set_up_service(s, i, next, nl, err);
		if (ret)
			return ret;
		add_needs(s, i, next, needs);
		next += room_for(&config->services[i], needs);
	}
	count_lost(s, needs);
	return 0;
}

int setup_new(struct setup **out, const struct config *config,
	      const struct state *state, struct netlink *nl, struct err *err)
{
	struct setup *s = calloc(1, sizeof(*s));
	struct needs needs;
	int ret;

	if (!s || state_backends(state, &needs.list, &needs.n)) {
		setup_free(s);
		return err_set(err, -ENOMEM, "out of memory");
	}
	s->config = config;
	ret = set_up(s, &needs, nl, err);
	free(needs.list);
	if (ret) {
		setup_free(s);
		return ret;
	}
	*out = s;
	return 0;
}

void setup_free(struct setup *s)
{
	if (!s)
		return;
	free(s->services);
	free(s->listens);
	free(s->backends);
	free(s->endpoints);
	free(s);
}

bool setup_without_syn_checks(struct setup *s)
{
	bool any = false;

	for (unsigned i = 0; i < s->n_services; i++) {
		struct service_spec *service = &s->services[i];

		if (!service->checked || service->check.kind != CHECK_SYN)
			continue;
		service->checked = false;
		any = true;
	}
	return any;
}

bool setup_has_unset(const struct setup *s)
{
	for (unsigned i = 0; i < s->n_services; i++)
		for (unsigned k = 0; k < s->services[i].n_backends; k++)
			if (!addr_is_set(
				    &s->services[i].backends[k].sources[0]))
				return true;
	return false;
}

bool setup_has_local_backend(const struct setup *s, struct netlink *nl)
{
	for (unsigned i = 0; i < s->n_backends; i++)
		if (setup_is_local(&s->endpoints[i].addr, nl))
			return true;
	return false;
}
