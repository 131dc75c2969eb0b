/* SPDX-License-Identifier: MIT */
/*
 * new.c - allocates the engine's tables
 *
 * All memory is allocated here, none per packet.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/health/half_open.h"
#include "core/health/ways.h"
#include "core/lifecycle.h"
#include "core/lookup.h"
#include "core/pending.h"
#include "core/state.h"

#define STRAY_PER_S   1000 /* enough for any restart, too slow to reflect */
#define REFUSED_PER_S 10000

#define HALF_OPEN_MIN 1024  /* a burst of honest clients */
#define HALF_OPEN_MAX 65536 /* SYNs kept at once */

/*
 * The pool for one of our addresses toward one backend, shared by services. If
 * it is only an @alternate, it is away until the program holds the address.
 */
static int add_pool(struct engine *e, const struct ip_addr *source,
		    const struct endpoint *backend, bool alternate)
{
	struct pool *pool;

	/* Unset sources share no pool: each may become another address. */
	for (unsigned i = 0; addr_is_set(source) && i < e->n_pools; i++)
		if (addr_equal(&e->pools[i].source, source) &&
		    endpoint_equal(&e->pools[i].backend, backend)) {
			e->pools[i].away &= alternate;
			return (int)i;
		}
	pool = &e->pools[e->n_pools];
	pool->source = *source;
	pool->backend = *backend;
	pool->away = alternate || !addr_is_set(source);
	pool->link = WAY_IS_OPEN;
	return (int)e->n_pools++;
}

static void add_backend(struct engine *e, struct service *s, unsigned index,
			const struct service_spec *spec,
			const struct backend_spec *from, uint64_t now_ns)
{
	struct backend *b = &s->backends[index];
	struct breaker_params breaker = spec->params.breaker;

	if (breaker.trials == 0) /* all zero: never opens */
		breaker.trials = 1;
	b->addr = from->addr;
	b->index = index;
	b->service = (unsigned)(s - e->services);
	b->params = from->params;
	b->gone = from->gone;
	b->routed = from->routed;
	b->up = !from->gone;
	if (b->params.weight == 0 && !from->undrained &&
	    spec->params.drain_timeout_s)
		b->drain_until_ns =
			now_ns + spec->params.drain_timeout_s * NS_PER_S;
	breaker_init(&b->breaker, &breaker, now_ns);
	if (spec->params.checked)
		health_init(&b->health, &spec->params.health, now_ns,
			    &e->random);
	b->n_sources = from->n_sources;
	for (unsigned k = 0; k < from->n_sources; k++)
		b->pools[k] = (uint16_t)add_pool(e, &from->sources[k],
						 &from->addr, false);
	b->has_alternate = addr_is_set(&from->alternate) && !from->gone;
	if (b->has_alternate)
		b->alternate = (uint16_t)add_pool(e, &from->alternate,
						  &from->addr, true);
}

static int add_service(struct engine *e, unsigned index,
		       const struct service_spec *spec, uint64_t now_ns)
{
	struct service *s = &e->services[index];

	s->listen = spec->listen;
	s->params = spec->params;
	if (s->params.retries > HANDSHAKE_RETRIES_MAX)
		s->params.retries = HANDSHAKE_RETRIES_MAX;
	s->n_backends = spec->n_backends;
	s->backends = calloc(spec->n_backends, sizeof(*s->backends));
	if (!s->backends)
		return -ENOMEM;
	for (unsigned i = 0; i < spec->n_backends; i++)
		add_backend(e, s, i, spec, &spec->backends[i], now_ns);
	return 0;
}

/* Upper bound of the number of pools; -1 if it exceeds an index. */
static int count_pools(const struct engine_spec *spec)
{
	unsigned n = 0;

	for (unsigned i = 0; i < spec->n_services; i++) {
		const struct service_spec *s = &spec->services[i];

		if (s->n_backends > SERVICE_BACKENDS_MAX)
			return -1;
		for (unsigned k = 0; k < s->n_backends; k++) {
			assert(s->backends[k].n_sources > 0);
			if (s->backends[k].n_sources > SERVICE_SOURCES_MAX)
				return -1;
			n += s->backends[k].n_sources;
			n += addr_is_set(&s->backends[k].alternate);
		}
	}
	return n <= UINT16_MAX ? (int)n : -1;
}

static int sort_pools(struct engine *e)
{
	e->pool_order = calloc(e->n_pools + 1u, sizeof(*e->pool_order));
	if (!e->pool_order)
		return -ENOMEM;
	for (unsigned i = 0; i < e->n_pools; i++)
		e->pool_order[i] = (uint16_t)i;
	engine_order_pools(e);
	return 0;
}

static int fill_pools(struct engine *e, const struct engine_spec *spec)
{
	for (uint32_t i = 0; i < spec->n_ports; i++)
		e->nat_ports[spec->ports[i] / 8] |=
			(uint8_t)(1 << spec->ports[i] % 8);
	e->port_memory = calloc((size_t)e->n_pools * spec->n_ports + 1,
				sizeof(*e->port_memory));
	if (!e->port_memory)
		return -ENOMEM;
	for (unsigned i = 0; i < e->n_pools; i++)
		ports_init(&e->pools[i].ports,
			   e->port_memory + (size_t)i * spec->n_ports,
			   spec->ports, spec->n_ports, &e->random);
	return 0;
}

static int make_lists(struct engine *e, uint64_t now_ns)
{
	uint32_t flows = e->table.size;
	uint32_t ages = AGE_HEADS + e->n_services,
		 heads = e->n_pools * AGE_LISTS;

	e->wheel_nodes = calloc(flows + WHEEL_SLOTS, sizeof(*e->wheel_nodes));
	e->age_nodes = calloc(flows + ages, sizeof(*e->age_nodes));
	e->pool_nodes = calloc(flows + heads, sizeof(*e->pool_nodes));
	if (!e->wheel_nodes || !e->age_nodes || !e->pool_nodes)
		return -ENOMEM;
	wheel_init(&e->wheel, e->wheel_nodes, flows, now_ns);
	list_init(e->age_nodes, flows + ages);
	list_init(e->pool_nodes, flows + heads);
	return 0;
}

/* Sets the limits of half-open flows and allocates room for their SYNs. */
static int make_pending(struct engine *e)
{
	uint64_t all = 0;

	for (unsigned i = 0; i < e->n_services; i++) {
		struct service *s = &e->services[i];

		s->half_open_limit = s->params.half_open_max;
		if (s->half_open_limit == 0) {
			s->half_open_limit = e->table.size / 8;
			if (s->half_open_limit < HALF_OPEN_MIN)
				s->half_open_limit = HALF_OPEN_MIN;
		}
		all += s->half_open_limit;
	}
	if (all > e->table.size)
		all = e->table.size;
	return pending_init(&e->pending, all > HALF_OPEN_MAX ? HALF_OPEN_MAX
							     : (uint32_t)all);
}

int engine_new(struct engine **out, const struct engine_spec *spec,
	       uint64_t now_ns, struct err *err)
{
	int n_pools = count_pools(spec);
	struct engine *e;
	int ret = -ENOMEM;

	if (n_pools < 0)
		return err_set(err, -EINVAL,
			       "too much: %d backends of a service, %d source "
			       "addresses of a backend, %u pairs of both are "
			       "the most",
			       SERVICE_BACKENDS_MAX, SERVICE_SOURCES_MAX,
			       UINT16_MAX);
	e = calloc(1, sizeof(*e));
	if (!e)
		goto fail;
	e->timeouts = spec->timeouts;
	e->on_flow = spec->on_flow;
	e->on_backend = spec->on_backend;
	e->on_arg = spec->on_arg;
	e->random.state = spec->seed;
	hearing_init(&e->hearing);
	syn_gate_init(&e->gate);
	e->probe_lo = spec->probe_lo;
	e->limit_stray.per_s = STRAY_PER_S;
	e->limit_challenge.per_s = REFUSED_PER_S;
	e->limit_reply.per_s = STRAY_PER_S;
	e->limit_killed.per_s = REFUSED_PER_S;
	e->limit_refused.per_s = REFUSED_PER_S;

	e->n_services = spec->n_services;
	e->services = calloc(spec->n_services, sizeof(*e->services));
	e->pools = calloc((size_t)n_pools, sizeof(*e->pools));
	if (!e->services || !e->pools)
		goto fail;
	for (unsigned i = 0; i < spec->n_services; i++)
		if (add_service(e, i, &spec->services[i], now_ns))
			goto fail;
	if (sort_pools(e) || fill_pools(e, spec) ||
	    flow_table_init(&e->table, spec->flows, spec->n_flows, spec->secret,
			    spec->slots) ||
	    make_lists(e, now_ns) || make_pending(e) || half_open_init(e))
		goto fail;
	*out = e;
	return 0;

fail:
	engine_free(e);
	return err_set(err, ret, "not enough memory for %u flows",
		       spec->n_flows);
}

void engine_free(struct engine *e)
{
	if (!e)
		return;
	for (unsigned i = 0; e->services && i < e->n_services; i++)
		free(e->services[i].backends);
	free(e->services);
	free(e->pools);
	free(e->pool_order);
	free(e->port_memory);
	free(e->half_open);
	free(e->wheel_nodes);
	free(e->age_nodes);
	free(e->pool_nodes);
	pending_free(&e->pending);
	syn_gate_free(&e->gate);
	flow_table_free(&e->table);
	free(e);
}
