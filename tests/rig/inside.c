/* SPDX-License-Identifier: MIT */
/* inside.c - see inside.h */
#include "inside.h"

#include "core/health/ways.h"
#include "core/lifecycle.h"
#include "core/pending.h"
#include "core/state.h"

struct service *inside_service(const struct engine *e, unsigned service)
{
	return &e->services[service];
}

struct backend *inside_backend(const struct engine *e, unsigned service,
			       unsigned backend)
{
	return &e->services[service].backends[backend];
}

struct backend *inside_backend_of(const struct engine *e, const struct flow *f)
{
	return engine_backend(e, f);
}

unsigned inside_pools(const struct engine *e)
{
	return e->n_pools;
}

struct inside_pool inside_pool(const struct engine *e, unsigned pool)
{
	const struct pool *p = &e->pools[pool];

	return (struct inside_pool){.source = p->source,
				    .backend = p->backend,
				    .size = p->ports.size,
				    .free = p->ports.free,
				    .recyclable = p->recyclable,
				    .holders = p->holders};
}

unsigned inside_outbox(const struct engine *e)
{
	return e->outbox_used;
}

const struct segment *inside_waiting(const struct engine *e, unsigned i)
{
	return &e->outbox[(e->outbox_head + i) % ENGINE_OUTBOX_MAX];
}

uint32_t inside_kept_syns(const struct engine *e)
{
	return e->pending.size - e->pending.n_free;
}

void inside_forget_syn(struct engine *e, struct flow *flow)
{
	pending_over(e, flow);
}

void inside_reset(struct engine *e, struct flow *flow, uint64_t now_ns)
{
	engine_reset_flow(e, flow, FLOW_END_DOWN, now_ns);
}

uint32_t inside_sweep_at(const struct engine *e)
{
	return e->sweep_at;
}

uint32_t inside_sweep_left(const struct engine *e)
{
	return e->sweep_left;
}

void inside_set_sweep(struct engine *e, uint32_t at, uint32_t left)
{
	e->sweep_at = at;
	e->sweep_left = left;
}

void inside_balance(struct engine *e)
{
	uint64_t total = e->left_totals;

	for (unsigned s = 0; s < e->n_services; s++)
		for (unsigned i = 0; i < e->services[s].n_backends; i++)
			total += e->services[s].backends[i].counters.total;
	e->left_totals += e->table.opened - total;
}

int inside_way(const struct engine *e, unsigned way)
{
	const int link = e->pools[way].link;

	if (link >= 0)
		return e->links[link].id;
	return link == WAY_IS_NONE ? WAY_NONE : WAY_OPEN;
}

uint64_t inside_way_heard_ns(const struct engine *e, unsigned way)
{
	const int link = e->pools[way].link;

	return link >= 0 ? e->links[link].heard_ns : 0;
}

unsigned inside_cut_off(const struct engine *e)
{
	return e->cut_off;
}
