/* SPDX-License-Identifier: MIT */
/*
 * engine_new.c - the engine's tables, and the flows of an earlier process
 *
 * All memory is taken here; nothing is allocated per packet.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine_internal.h"

#define STRAY_PER_S   1000 /* enough for any restart, too slow to reflect */
#define REFUSED_PER_S 10000

#define HALF_OPEN_MIN 1024  /* a burst of honest clients */
#define HALF_OPEN_MAX 65536 /* SYNs kept at once */

/* The pool for one of our addresses toward one backend, shared by services. */
static int add_pool(struct engine *e, const struct ip_addr *source,
		    const struct endpoint *backend)
{
	struct pool *pool;

	/* Each that is unset may become another one. */
	for (unsigned i = 0; addr_is_set(source) && i < e->n_pools; i++)
		if (addr_equal(&e->pools[i].source, source) &&
		    endpoint_equal(&e->pools[i].backend, backend))
			return (int)i;
	pool = &e->pools[e->n_pools];
	pool->source = *source;
	pool->backend = *backend;
	pool->away = !addr_is_set(source);
	return (int)e->n_pools++;
}

static void add_backend(struct engine *e, struct service *s, unsigned index,
			const struct service_spec *spec,
			const struct backend_spec *from, uint64_t now_ns)
{
	struct backend *b = &s->backends[index];
	struct breaker_params breaker = spec->breaker;

	if (breaker.trials == 0) /* all zero: never opens */
		breaker.trials = 1;
	b->addr = from->addr;
	b->index = index;
	b->service = (unsigned)(s - e->services);
	b->weight = from->weight;
	b->backup = from->backup;
	b->gone = from->gone;
	b->routed = from->routed;
	b->up = !from->gone;
	if (b->weight == 0 && !from->undrained && spec->drain_timeout_s)
		b->drain_until_ns =
			now_ns + spec->drain_timeout_s * ENGINE_NS_PER_S;
	breaker_init(&b->breaker, &breaker, now_ns);
	if (spec->checked)
		health_init(&b->health, &spec->health, now_ns, &e->random);
	b->n_sources = from->n_sources;
	for (unsigned k = 0; k < from->n_sources; k++)
		b->pools[k] =
			(uint16_t)add_pool(e, &from->sources[k], &from->addr);
	b->has_alternate = addr_is_set(&from->alternate) && !from->gone;
	if (b->has_alternate)
		b->alternate =
			(uint16_t)add_pool(e, &from->alternate, &from->addr);
}

static int add_service(struct engine *e, unsigned index,
		       const struct service_spec *spec, uint64_t now_ns)
{
	struct service *s = &e->services[index];

	s->listen = spec->listen;
	s->scheduler = spec->scheduler;
	s->reset_out_of_state = spec->reset_out_of_state;
	s->drop_all_down = spec->drop_all_down;
	s->keep_on_down = spec->keep_on_down;
	s->mptcp_pass = spec->mptcp_pass;
	s->retries = spec->retries < HANDSHAKE_RETRIES_MAX
			     ? spec->retries
			     : HANDSHAKE_RETRIES_MAX;
	s->syn_timeout_ns = spec->syn_timeout_ms * 1000000ull;
	s->half_open_max = spec->half_open_max;
	s->checked = spec->checked;
	s->check = spec->check;
	s->n_backends = spec->n_backends;
	s->backends = calloc(spec->n_backends, sizeof(*s->backends));
	if (!s->backends)
		return -ENOMEM;
	for (unsigned i = 0; i < spec->n_backends; i++)
		add_backend(e, s, i, spec, &spec->backends[i], now_ns);
	return 0;
}

/* Upper bound of pools; -1 when there are more than an index can name. */
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

static int compare_pool(const struct pool *pool, const struct ip_addr *source,
			const struct endpoint *backend)
{
	int order = memcmp(&pool->backend, backend, sizeof(*backend));

	return order ? order : memcmp(&pool->source, source, sizeof(*source));
}

static int by_ends(const void *a, const void *b, void *pools)
{
	const struct pool *y = (struct pool *)pools + *(const uint16_t *)b;

	return compare_pool((struct pool *)pools + *(const uint16_t *)a,
			    &y->source, &y->backend);
}

void engine_order_pools(struct engine *e)
{
	qsort_r(e->pool_order, e->n_pools, sizeof(*e->pool_order), by_ends,
		e->pools);
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

int engine_find_pool(const struct engine *e, const struct ip_addr *source,
		     const struct endpoint *backend)
{
	unsigned lo = 0, hi = e->n_pools;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;
		int order = compare_pool(&e->pools[e->pool_order[mid]], source,
					 backend);

		if (order == 0)
			return e->pool_order[mid];
		if (order < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return -1;
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

/* Bounds of half-open flows, and room for their SYNs. */
static int make_pending(struct engine *e)
{
	uint64_t all = 0;

	for (unsigned i = 0; i < e->n_services; i++) {
		struct service *s = &e->services[i];

		if (s->half_open_max == 0) {
			s->half_open_max = e->table.size / 8;
			if (s->half_open_max < HALF_OPEN_MIN)
				s->half_open_max = HALF_OPEN_MIN;
		}
		all += s->half_open_max;
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
	e->can_reach = spec->can_reach;
	e->way_heard_ns = spec->way_heard_ns;
	e->may_use = spec->may_use;
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

/* ------------------------------------------------------------- takeover */

/* Which ports of each pool the adopted flows hold. */
struct takeover {
	struct engine *e;
	uint64_t now_ns;
	uint8_t *used; /* a bitmap of 65536 per pool */
	unsigned pool; /* for port_used() */
};

static bool port_used(void *arg, uint16_t port)
{
	const struct takeover *t = arg;

	return t->used[(size_t)t->pool * 8192 + port / 8] >> port % 8 & 1;
}

/* By which of its pools @b has the flow; -1: it cannot have it. */
static int find_source(const struct engine *e, const struct backend *b,
		       const struct ip_addr *source)
{
	for (unsigned n = 0; n < b->n_sources; n++)
		if (addr_equal(&e->pools[b->pools[n]].source, source))
			return b->pools[n];
	if (b->has_alternate &&
	    addr_equal(&e->pools[b->alternate].source, source))
		return b->alternate;
	return -1;
}

static bool find_place(struct engine *e, struct flow *flow)
{
	const struct endpoint vip = flow_vip(flow), nat = flow_nat(flow),
			      backend = flow_backend(flow);

	for (unsigned i = 0; i < e->n_services; i++) {
		const struct service *s = &e->services[i];

		if (!endpoint_equal(&s->listen, &vip))
			continue;
		for (unsigned k = 0; k < s->n_backends; k++) {
			const struct backend *b = &s->backends[k];
			int pool = find_source(e, b, &nat.addr);

			if (pool < 0 || !endpoint_equal(&b->addr, &backend))
				continue;
			flow->service = (uint16_t)i;
			flow->backend = (uint16_t)k;
			flow->pool = (uint16_t)pool;
			return true;
		}
	}
	return false;
}

/* Nothing in the file is believed that is not checked here (rule 13). */
static bool keep_flow(void *arg, struct flow *flow)
{
	struct takeover *t = arg;
	const struct endpoint client = flow_client(flow);
	uint16_t port = ntohs(flow_nat(flow).port);
	uint8_t *byte;

	if (flow->proto != PACKET_PROTO_TCP || !endpoint_is_host(&client) ||
	    !tcp_track_mend(&flow->tcp) || flow->opened_ns > t->now_ns ||
	    flow->seen_ns > t->now_ns || flow->id > UINT64_MAX / 2 ||
	    !engine_is_nat_port(t->e, port) || !find_place(t->e, flow))
		return false;
	byte = &t->used[(size_t)flow->pool * 8192 + port / 8];
	if (*byte >> port % 8 & 1)
		return false;
	*byte |= (uint8_t)(1 << port % 8);
	flow->flags &= FLOW_KILLED | FLOW_FAILED;
	if (flow->tcp.state != TCP_RESET)
		flow->flags &= (uint8_t)~FLOW_KILLED;
	flow->pending = 0;
	if (flow->keepalives > 3)
		flow->keepalives = 0;
	return true;
}

/* Lists are by age: those that come first are recycled first. */
static int by_age(const void *a, const void *b)
{
	const struct flow *x = *(const struct flow *const *)a;
	const struct flow *y = *(const struct flow *const *)b;

	return (x->seen_ns > y->seen_ns) - (x->seen_ns < y->seen_ns);
}

static void enlist(struct engine *e, struct flow *flow)
{
	struct backend *b = engine_backend(e, flow);

	if (!tcp_is_closed(flow->tcp.state)) {
		b->flows++;
		if (flow->tcp.state != TCP_SYN_SENT) {
			/* It had been found to answer that one. */
			if (b->has_alternate && flow->pool == b->alternate)
				engine_swap_source(b, b->swapped_ns);
			b->has_alternate = false;
			e->pools[b->pools[0]].answered = true;
		}
		if (b->gone && !e->services[flow->service].keep_on_down)
			engine_start_sweep(e, b);
	}
	b->total++;
	engine_list_flow(e, flow);
	engine_set_timer(e, flow);
}

int64_t engine_adopt(struct engine *e, uint64_t now_ns, uint32_t *refused)
{
	struct takeover t = {.e = e, .now_ns = now_ns};
	struct flow **flows, *flow;
	uint32_t n = 0;

	t.used = calloc(e->n_pools + 1, 8192);
	flows = calloc(e->table.size, sizeof(struct flow *));
	if (!t.used || !flows) {
		free(t.used);
		free(flows);
		return -ENOMEM;
	}
	flow_table_adopt(&e->table, keep_flow, &t, refused);
	for (t.pool = 0; t.pool < e->n_pools; t.pool++)
		ports_take_used(&e->pools[t.pool].ports, port_used, &t);

	for (flow = flow_next(&e->table, 0); flow;
	     flow = flow_next(&e->table, flow_index(&e->table, flow) + 1))
		flows[n++] = flow;
	qsort(flows, n, sizeof(struct flow *), by_age);
	for (uint32_t i = 0; i < n; i++)
		enlist(e, flows[i]);
	free(t.used);
	free(flows);
	e->counters.adopted = n;
	return n;
}
