/* SPDX-License-Identifier: MIT */
/*
 * new.c - allocates the engine's tables
 *
 * None is allocated per packet. Slots that come into use later have theirs
 * allocated then (slots.c, pools.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/lifecycle.h"
#include "core/pending.h"
#include "core/sched/choose.h"
#include "core/slots.h"
#include "core/state.h"

#define STRAY_PER_S   1000 /* enough for any restart, too slow to reflect */
#define REFUSED_PER_S 10000

static_assert(sizeof(struct flow) + sizeof(struct flow_note) +
			      FLOW_SLOTS * sizeof(struct flow_slot) +
			      3 * sizeof(struct list_node) ==
		      256,
	      "what a flow takes in the tables");

/* Pools that the spec needs; -1 if it exceeds a limit. */
static int count_pools(const struct engine_spec *spec)
{
	unsigned n = 0;

	for (unsigned i = 0; i < spec->n_services; i++) {
		const struct service_spec *s = &spec->services[i];

		if (s->n_backends > SERVICE_BACKENDS_MAX)
			return -1;
		for (unsigned k = 0; k < s->n_backends; k++) {
			if (s->unused || s->backends[k].unused)
				continue;
			assert(s->backends[k].n_sources > 0);
			if (s->backends[k].n_sources > SERVICE_SOURCES_MAX)
				return -1;
			n += s->backends[k].n_sources;
			n += addr_is_set(&s->backends[k].alternate);
		}
	}
	return n <= UINT16_MAX ? (int)n : -1;
}

static unsigned choose_pools_max(const struct engine_spec *spec, unsigned n)
{
	unsigned max = spec->pools_max;

	if (max == 0)
		max = 2 * n < ENGINE_POOLS_MIN ? ENGINE_POOLS_MIN : 2 * n;
	if (max < n)
		max = n;
	return max < UINT16_MAX ? max : UINT16_MAX;
}

static int make_ports(struct engine *e, const struct engine_spec *spec)
{
	e->n_ports = spec->n_ports;
	e->ports = malloc(spec->n_ports * sizeof(*e->ports) + 1);
	if (!e->ports)
		return -ENOMEM;
	memcpy(e->ports, spec->ports, spec->n_ports * sizeof(*e->ports));
	for (uint32_t i = 0; i < spec->n_ports; i++)
		e->nat_ports[spec->ports[i] / 8] |=
			(uint8_t)(1 << spec->ports[i] % 8);
	return 0;
}

static int make_slots(struct engine *e, const struct engine_spec *spec,
		      unsigned n_pools)
{
	e->services_max = spec->n_services > ENGINE_SERVICES_MAX
				  ? spec->n_services
				  : ENGINE_SERVICES_MAX;
	e->pools_max = choose_pools_max(spec, n_pools);
	e->services = calloc(e->services_max, sizeof(*e->services));
	e->pools = calloc(e->pools_max, sizeof(*e->pools));
	e->pool_order = calloc(e->pools_max, sizeof(*e->pool_order));
	return e->services && e->pools && e->pool_order ? 0 : -ENOMEM;
}

static int add_backend(struct engine *e, unsigned service, unsigned backend,
		       const struct backend_spec *spec, uint64_t now_ns)
{
	struct backend *b;

	if (slots_fill_backend(e, service, backend, spec, now_ns))
		return -ENOMEM;
	b = &e->services[service].backends[backend];
	slots_enter_backend(e, b, true, now_ns);
	if (!spec->gone)
		return 0;
	b->up = false;
	slots_leave_backend(e, b, spec->params.then, now_ns);
	return 0;
}

static int add_service(struct engine *e, unsigned service,
		       const struct service_spec *spec, uint64_t now_ns)
{
	if (slots_fill_service(e, service, spec))
		return -ENOMEM;
	slots_enter_service(&e->services[service], now_ns);
	for (unsigned i = 0; i < spec->n_backends; i++)
		if (!spec->backends[i].unused &&
		    add_backend(e, service, i, &spec->backends[i], now_ns))
			return -ENOMEM;
	sched_changed(&e->services[service]);
	sched_refresh(&e->services[service]);
	return 0;
}

static int fill_slots(struct engine *e, const struct engine_spec *spec,
		      uint64_t now_ns)
{
	for (unsigned i = 0; i < spec->n_services; i++)
		if (!spec->services[i].unused &&
		    add_service(e, i, &spec->services[i], now_ns))
			return -ENOMEM;
	return 0;
}

static int make_lists(struct engine *e, uint64_t now_ns)
{
	uint32_t flows = e->table.size;
	uint32_t ages = AGE_HEADS + e->services_max,
		 heads = e->pools_max * AGE_LISTS;

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
	e->on_refused = spec->on_refused;
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

	if (make_slots(e, spec, (unsigned)n_pools) || make_ports(e, spec) ||
	    flow_table_init(&e->table, spec->flows, spec->n_flows, spec->secret,
			    spec->slots, spec->notes) ||
	    make_lists(e, now_ns) || fill_slots(e, spec, now_ns))
		goto fail;
	e->runs = true;
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
	for (unsigned i = 0; e->services && i < e->services_max; i++) {
		sched_free(&e->services[i]);
		free(e->services[i].memory);
	}
	for (unsigned i = 0; e->pools && i < e->n_pools; i++) {
		free(e->pools[i].ports.ring);
		free(e->pools[i].checks);
	}
	free(e->services);
	free(e->pools);
	free(e->pool_order);
	free(e->ports);
	free(e->wheel_nodes);
	free(e->age_nodes);
	free(e->pool_nodes);
	pending_free(&e->pending);
	syn_gate_free(&e->gate);
	flow_table_free(&e->table);
	free(e);
}
