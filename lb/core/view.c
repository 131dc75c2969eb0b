/* SPDX-License-Identifier: MIT */
#include "core/pools.h"
#include "core/state.h"
#include "core/view.h"

const struct engine_counters *engine_counters(const struct engine *e)
{
	return &e->counters;
}

const struct flow_table *engine_flows(const struct engine *e)
{
	return &e->table;
}

const struct service_counters *engine_service_counters(const struct engine *e,
						       unsigned service)
{
	static const struct service_counters none;

	return service < e->n_services ? &e->services[service].counters : &none;
}

const struct backend_counters *engine_backend_counters(const struct engine *e,
						       unsigned service,
						       unsigned backend)
{
	static const struct backend_counters none;

	if (service >= e->n_services ||
	    backend >= e->services[service].n_backends)
		return &none;
	return &e->services[service].backends[backend].counters;
}

const struct service_counters *engine_request_counters(const struct engine *e)
{
	return &e->requests;
}

unsigned engine_services(const struct engine *e)
{
	return e->n_services;
}

unsigned engine_backends(const struct engine *e, unsigned service)
{
	return e->services[service].n_backends;
}

struct service_view engine_view_service(const struct engine *e,
					unsigned service)
{
	const struct service *s = &e->services[service];

	if (service >= e->n_services || s->slot == SLOT_FREE)
		return (struct service_view){.slot = SLOT_FREE};
	return (struct service_view){
		.slot = s->slot,
		.listen = s->listen,
		.params = s->params,
		.away = s->away,
		.since_ns = s->entered_ns,
		.n_backends = s->n_backends,
		.half_open = s->half_open,
		.half_open_limit = s->half_open_limit,
	};
}

/* A breaker that is half open is not well yet. */
static uint64_t since_ns(const struct backend *b)
{
	const uint64_t turned_ns = b->breaker.state == BREAKER_CLOSED
					   ? b->breaker.closed_ns
					   : b->breaker.opened_ns;

	return b->up && turned_ns > b->since_ns ? turned_ns : b->since_ns;
}

struct backend_view engine_view_backend(const struct engine *e,
					unsigned service, unsigned backend,
					uint64_t now_ns)
{
	const struct backend *b;
	const struct pool *pool;
	struct backend_view view = {.slot = SLOT_FREE};

	if (service >= e->n_services ||
	    backend >= e->services[service].n_backends)
		return view;
	b = &e->services[service].backends[backend];
	pool = &e->pools[b->pools[0]];
	if (b->slot == SLOT_FREE)
		return view;
	view = (struct backend_view){
		.slot = b->slot,
		.addr = b->addr,
		.source = pool->source,
		.params = b->params,
		.up = b->up,
		.proven = b->proven,
		.gone = b->slot == SLOT_LEAVING,
		.ejected = b->breaker.state == BREAKER_OPEN,
		.breaker = b->breaker.state,
		.since_ns = since_ns(b),
		.downtime_ns = b->down_ns + (b->up ? 0 : now_ns - b->since_ns),
		.takes_flows = backend_takes_flows(b) &&
			       breaker_allows(&b->breaker, now_ns),
		.answered = pool->answered,
		.checked = backend_is_checked(&e->services[service], b),
		.last = b->health.last,
		.streak = b->health.streak,
		.backoff_ms = b->breaker.backoff_ms,
		.flows = b->flows,
		.refs = b->refs,
		.total = b->counters.total,
		.failed = b->counters.failed,
	};

	if (b->has_alternate)
		view.alternate = e->pools[b->alternate].source;
	return view;
}

unsigned engine_pools(const struct engine *e)
{
	return e->n_pools;
}

struct pool_view engine_view_pool(const struct engine *e, unsigned pool)
{
	const struct pool *p = &e->pools[pool];
	uint32_t room;

	if (pool >= e->n_pools || !pools_in_use(p) || p->ports.size == 0)
		return (struct pool_view){.size = 0};
	room = p->ports.free + p->recyclable;
	return (struct pool_view){
		.source = p->source,
		.backend = p->backend,
		.used = p->ports.size - room,
		.recyclable = p->recyclable,
		.size = p->ports.size,
		.holders = p->holders,
		.used_percent = (unsigned)(100 - room * 100ull / p->ports.size),
	};
}

struct pool_view engine_fullest_pool(const struct engine *e)
{
	struct pool_view fullest = {.used_percent = 0};

	for (unsigned i = 0; i < e->n_pools; i++) {
		const struct pool_view pool = engine_view_pool(e, i);

		if (pool.used_percent > fullest.used_percent)
			fullest = pool;
	}
	return fullest;
}

uint64_t engine_cut_since_ns(const struct engine *e)
{
	return e->cut_since_ns;
}

void engine_freeze(struct engine *e, struct flow *copy)
{
	struct flow_table *t = &e->table;

	for (unsigned s = 0; s < e->n_services; s++) {
		for (unsigned i = 0; i < e->services[s].n_backends; i++)
			e->services[s].backends[i].flows =
				e->services[s].backends[i].refs = 0;
	}
	t->used = 0;
	for (uint32_t i = 0; i < t->size; i++) {
		const struct flow *f = &t->flows[i];

		if (!__atomic_load_n(&f->open, __ATOMIC_ACQUIRE))
			continue;
		copy[i] = *f;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		copy[i].open = f->open && copy[i].generation == f->generation;
		if (!copy[i].open)
			continue;
		t->used++;
		engine_backend(e, &copy[i])->refs++;
		if (!tcp_is_closed(copy[i].tcp.state))
			engine_backend(e, &copy[i])->flows++;
	}
	t->flows = copy;
}
