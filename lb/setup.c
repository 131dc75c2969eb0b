/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "setup.h"

static int add_source(struct setup *s, const struct ip_addr *addr,
		      struct err *err)
{
	for (unsigned i = 0; i < s->n_sources; i++)
		if (addr_equal(&s->sources[i], addr))
			return 0;
	if (s->n_sources == SETUP_SOURCES_MAX)
		return err_set(err, -EINVAL,
			       "more than %d source addresses in all",
			       SETUP_SOURCES_MAX);
	s->sources[s->n_sources++] = *addr;
	return 0;
}

/*
 * Which of our addresses a backend sees when the user did not say: the VIP
 * where it is reachable by the interface that holds it or by lo, so that
 * nothing changes in the simplest set-up; else what the route prefers, so that
 * a backend never needs a route of its own.
 */
static int route_source(const struct service_config *service,
			const struct endpoint *backend, struct netlink *nl,
			struct ip_addr *out, struct err *err)
{
	char text[ENDPOINT_TEXT_MAX];
	struct route route;
	struct err why;
	int ret;

	ret = netlink_route(nl, NULL, &backend->addr, &route, &why);
	if (ret)
		return err_set(err, ret,
			       "service %s: no way to backend %s: %s; add a "
			       "route, or correct the address",
			       service->name, endpoint_format(backend, text),
			       why.text);
	if (route.local || route.ifindex == netlink_addr_ifindex(
						nl, &service->listen.addr))
		*out = service->listen.addr;
	else
		*out = route.prefsrc;
	return 0;
}

static int check_local(const struct service_config *service, const char *what,
		       const struct ip_addr *addr, struct netlink *nl,
		       struct err *err)
{
	char text[ADDR_TEXT_MAX];

	if (netlink_addr_ifindex(nl, addr) || addr_is_loopback(addr))
		return 0;
	return err_set(err, -EADDRNOTAVAIL,
		       "service %s: %s %s is not an address of this host; "
		       "'ip -4 addr' lists them, 'ip addr add %s/32 dev "
		       "INTERFACE' adds it", service->name, what,
		       addr_format(addr, text), text);
}

static int set_up_backend(struct setup *s, const struct service_config *service,
			  const struct backend_config *from,
			  struct backend_spec *to, struct netlink *nl,
			  struct err *err)
{
	int ret;

	to->addr = from->addr;
	to->weight = from->weight;
	to->backup = from->backup;
	if (service->n_sources) {
		to->n_sources = service->n_sources;
		memcpy(to->sources, service->sources,
		       service->n_sources * sizeof(to->sources[0]));
	} else {
		to->n_sources = 1;
	}
	/* Even with a given source there must be a way there. */
	if (!service->n_sources || !addr_is_loopback(&from->addr.addr)) {
		struct ip_addr by_route;

		ret = route_source(service, &from->addr, nl, &by_route, err);
		if (ret)
			return ret;
		if (!service->n_sources)
			to->sources[0] = by_route;
	}
	for (unsigned i = 0; i < to->n_sources; i++) {
		ret = add_source(s, &to->sources[i], err);
		if (ret)
			return ret;
	}
	return 0;
}

static int set_up_service(struct setup *s, unsigned index,
			  struct backend_spec *backends, struct netlink *nl,
			  struct err *err)
{
	const struct service_config *from = &s->config->services[index];
	struct service_spec *to = &s->services[index];
	int ret;

	ret = check_local(from, "address", &from->listen.addr, nl, err);
	for (unsigned i = 0; !ret && i < from->n_sources; i++)
		ret = check_local(from, "source", &from->sources[i], nl, err);
	if (ret)
		return ret;

	to->listen = from->listen;
	to->scheduler = from->scheduler;
	to->reset_out_of_state = from->out_of_state == OUT_OF_STATE_RESET;
	to->retries = ENGINE_RETRIES_DEFAULT;
	to->syn_timeout_ms = ENGINE_SYN_TIMEOUT_MS_DEFAULT;
	to->breaker = (struct breaker_params)BREAKER_PARAMS_DEFAULT;
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

int setup_new(struct setup **out, const struct config *config,
	      struct netlink *nl, struct err *err)
{
	struct setup *s = calloc(1, sizeof(*s));
	struct backend_spec *next;
	unsigned backends = 0;
	int ret;

	if (!s)
		return err_set(err, -ENOMEM, "out of memory");
	s->config = config;
	s->n_services = config->n_services;
	for (unsigned i = 0; i < config->n_services; i++)
		backends += config->services[i].n_backends;
	s->services = calloc(s->n_services, sizeof(*s->services));
	s->listens = calloc(s->n_services, sizeof(*s->listens));
	s->backends = calloc(backends, sizeof(*s->backends));
	s->endpoints = calloc(backends, sizeof(*s->endpoints));
	if (!s->services || !s->listens || !s->backends || !s->endpoints) {
		ret = err_set(err, -ENOMEM, "out of memory");
		goto fail;
	}
	next = s->backends;
	for (unsigned i = 0; i < s->n_services; i++) {
		ret = set_up_service(s, i, next, nl, err);
		if (ret)
			goto fail;
		next += config->services[i].n_backends;
	}
	*out = s;
	return 0;

fail:
	setup_free(s);
	return ret;
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

/* ------------------------------------------------------------- interfaces */

struct names {
	char (*name)[IF_NAMESIZE];
	unsigned n;
};

static void add_name(struct names *names, const char *name)
{
	for (unsigned i = 0; i < names->n; i++)
		if (strcmp(names->name[i], name) == 0)
			return;
	if (names->n < SETUP_INTERFACES_MAX)
		snprintf(names->name[names->n++], IF_NAMESIZE, "%s", name);
}

static void add_index(struct names *names, struct netlink *nl, int ifindex)
{
	const struct link *link = netlink_link(nl, ifindex);

	if (link)
		add_name(names, link->name);
}

static void add_route_to(struct names *names, struct netlink *nl,
			 const struct ip_addr *dst)
{
	struct route route;
	struct err err;

	if (netlink_route(nl, NULL, dst, &route, &err) == 0)
		add_index(names, nl, route.ifindex);
}

unsigned setup_interfaces(const struct setup *s, struct netlink *nl,
			  char out[SETUP_INTERFACES_MAX][IF_NAMESIZE])
{
	/* TEST-NET-1 (RFC 5737) is nobody's: it goes the default route. */
	const struct ip_addr anywhere = addr_from_v4(htonl(0xc0000201));
	struct names names = { .name = out };

	if (s->config->n_interfaces) {
		for (unsigned i = 0; i < s->config->n_interfaces; i++)
			add_name(&names, s->config->interfaces[i]);
		return names.n;
	}
	add_name(&names, "lo"); /* clients and backends on this host */
	for (unsigned i = 0; i < s->n_services; i++)
		add_index(&names, nl,
			  netlink_addr_ifindex(nl, &s->listens[i].addr));
	add_route_to(&names, nl, &anywhere);
	for (unsigned i = 0; i < s->n_backends; i++)
		add_route_to(&names, nl, &s->endpoints[i].addr);
	return names.n;
}

/* ----------------------------------------------------------------- filter */

static void write_services(FILE *f, const struct setup *s, const char *dir)
{
	char text[ADDR_TEXT_MAX];

	fprintf(f, "(");
	for (unsigned i = 0; i < s->n_services; i++)
		fprintf(f, "%s(%s host %s and %s port %u)", i ? " or " : "",
			dir, addr_format(&s->listens[i].addr, text), dir,
			ntohs(s->listens[i].port));
	fprintf(f, ")");
}

static void write_sources(FILE *f, const struct setup *s)
{
	char text[ADDR_TEXT_MAX];

	fprintf(f, "(");
	for (unsigned i = 0; i < s->n_sources; i++)
		fprintf(f, "%sdst host %s", i ? " or " : "",
			addr_format(&s->sources[i], text));
	fprintf(f, ")");
}

/*
 * By destination only, so that backends never change it (design rule 12). What
 * we send to a client on this host comes by lo from the service's address, and
 * might hit the NAT range: that is not ours again.
 */
char *setup_filter(const struct setup *s, uint16_t nat_lo, uint16_t nat_hi)
{
	char *text = NULL, addr[ADDR_TEXT_MAX];
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	fprintf(f, "ip and ((tcp and (");
	write_services(f, s, "dst");
	fprintf(f, " or (dst portrange %u-%u and ", nat_lo, nat_hi);
	write_sources(f, s);
	fprintf(f, " and not ");
	write_services(f, s, "src");
	fprintf(f, "))) or ((ip[6:2] & 0x1fff != 0 and ip proto 6 or "
		   "icmp[0] == 3 or icmp[0] == 11 or icmp[0] == 12) and (");
	write_sources(f, s);
	for (unsigned i = 0; i < s->n_services; i++)
		fprintf(f, " or dst host %s",
			addr_format(&s->listens[i].addr, addr));
	fprintf(f, ")))");
	if (fclose(f) == EOF) {
		free(text);
		return NULL;
	}
	return text;
}
