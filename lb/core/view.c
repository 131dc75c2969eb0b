/* SPDX-License-Identifier: MIT */
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

unsigned engine_services(const struct engine *e)
{
	return e->n_services;
}

unsigned engine_backends(const struct engine *e, unsigned service)
{
	return e->services[service].n_backends;
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
		.takes_flows = backend_takes_flows(b) &&
			       breaker_allows(&b->breaker, now_ns),
		.answered = pool->answered,
		.last = b->health.last,
		.backoff_ms = b->breaker.backoff_ms,
		.flows = b->flows,
		.refs = b->refs,
		.total = b->total,
		.failed = b->failed,
	};

	if (b->has_alternate)
		view.alternate = e->pools[b->alternate].source;
	return view;
}

struct pool_view engine_fullest_pool(const struct engine *e)
{
	struct pool_view fullest = {.used_percent = 0};

	for (unsigned i = 0; i < e->n_pools; i++) {
		const struct pool *p = &e->pools[i];
		uint32_t room = p->ports.free + p->recyclable;
		unsigned used = (unsigned)(100 - room * 100ull / p->ports.size);

		if (used > fullest.used_percent)
			fullest =
				(struct pool_view){p->source, p->backend, used};
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
