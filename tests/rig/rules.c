/* SPDX-License-Identifier: MIT */
/* rules.c - see rules.h */
#include "rules.h"

#include "core/lifecycle.h"
#include "core/lookup.h"
#include "core/state.h"

static const char *broken_balance(const struct engine *e)
{
	const struct engine_counters *c = &e->counters;
	uint64_t sum = c->forwarded + c->consumed;

	for (int i = 0; i < DROP_REASONS; i++)
		sum += c->dropped[i];
	if (sum != c->received)
		return "received = forwarded + consumed + the sum of dropped";
	if (e->outbox_used > ENGINE_OUTBOX_MAX)
		return "the outbox holds at most what it has room for";
	return NULL;
}

static bool share_key(const struct flow *a, const struct flow *b)
{
	for (int side = 0; side < FLOW_SIDES; side++)
		if (endpoint_equal(&a->pair[side].src, &b->pair[side].src) &&
		    endpoint_equal(&a->pair[side].dst, &b->pair[side].dst))
			return true;
	return false;
}

static const char *broken_flow(const struct engine *e, const struct flow *f)
{
	const struct service *s =
		&e->services[f->service < e->n_services ? f->service : 0];
	struct endpoint vip = flow_vip(f), backend = flow_backend(f);

	if (f->service >= e->n_services || s->slot < SLOT_LIVE ||
	    f->backend >= s->n_backends ||
	    s->backends[f->backend].slot < SLOT_LIVE)
		return "a flow's service and backend exist";
	if (f->pool >= e->n_pools)
		return "a flow's pool exists";
	if (f->tcp.state >= TCP_STATES)
		return "a flow's state exists";
	if (!endpoint_equal(&vip, &s->listen))
		return "a flow's VIP is its service's";
	if (!endpoint_equal(&backend, &s->backends[f->backend].addr))
		return "a flow's backend is where its packets go";
	if (!endpoint_equal(&backend, &e->pools[f->pool].backend))
		return "a flow's port comes from a pool toward its backend";
	if (f->id > e->table.opened)
		return "flows are numbered as they open";
	for (const struct flow *g = f + 1;
	     (g = flow_next(&e->table, flow_index(&e->table, g))); g++)
		if (share_key(f, g))
			return "two flows never share a key";
	return NULL;
}

/* Kept SYNs that name @b as one of those tried before. */
static uint32_t count_tried(const struct engine *e, const struct backend *b)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < e->table.size; i++) {
		const struct flow *f = &e->table.flows[i];
		const struct pending_syn *pend;

		if (!f->open || f->service != b->service || !f->pending)
			continue;
		pend = pending_of(e, f);
		for (unsigned k = 0; k < pend->retries; k++)
			n += pend->tried[k].backend == b->index;
	}
	return n;
}

/* @pending: its flows in SYN_SENT. */
static const char *broken_counters(const struct backend *b, uint32_t pending)
{
	const struct backend_counters *c = &b->counters;
	uint64_t failed = 0, ended = c->redispatched + c->ended_before;

	for (int i = 0; i < BACKEND_FAILURES; i++)
		failed += c->failed_by[i];
	for (int i = 0; i < FLOW_ENDS; i++)
		ended += c->ends[i];
	if (failed != c->failed)
		return "a backend fails in one way at a time";
	if (c->answered + c->failed + pending > c->total)
		return "a backend answers or fails what it was given, once";
	if (c->total + c->revived != ended + b->flows)
		return "a flow ends once at its backend";
	if (c->ends[FLOW_END_NONE])
		return "an end has a reason";
	if (histogram_total(&c->handshake) > c->answered ||
	    histogram_total(&c->first_byte) > c->answered)
		return "times are of flows that were answered";
	return NULL;
}

static const char *broken_backend(const struct engine *e,
				  const struct backend *b)
{
	uint32_t open = 0, refs = 0, pending = 0;

	if (b->slot == SLOT_FREE)
		return b->refs || b->tried || b->flows ? "a free slot is empty"
						       : NULL;

	for (uint32_t i = 0; i < e->table.size; i++) {
		const struct flow *f = &e->table.flows[i];

		if (!f->open || f->service != b->service ||
		    f->backend != b->index)
			continue;
		refs++;
		open += !tcp_is_closed(f->tcp.state);
		pending += f->tcp.state == TCP_SYN_SENT;
	}
	if (refs != b->refs)
		return "a backend counts the flows that name it";
	if (b->tried != count_tried(e, b))
		return "a backend counts the SYNs that were tried with it";
	if (open != b->flows)
		return "a backend's flows are those that are not closed";
	return broken_counters(b, pending);
}

/* What is kept only until a SYN-ACK was forwarded is given back. */
static const char *broken_handshakes(const struct engine *e)
{
	uint32_t pending = 0, half_open[2] = {0, 0};

	for (uint32_t i = 0; i < e->table.size; i++) {
		const struct flow *f = &e->table.flows[i];

		if (!f->open)
			continue;
		pending += f->pending != 0;
		if (f->pending && f->tcp.state != TCP_SYN_SENT)
			return "a SYN is kept only until it was answered";
		if (f->service < 2 && (f->flags & FLOW_HALF_OPEN))
			half_open[f->service]++;
	}
	if (pending + e->pending.n_free != e->pending.size)
		return "each kept SYN belongs to one flow";
	for (unsigned s = 0; s < 2 && s < e->n_services; s++)
		if (e->services[s].half_open != half_open[s])
			return "a service counts its half-open flows";
	return NULL;
}

static const char *broken_pool(const struct engine *e, unsigned pool)
{
	uint32_t used = 0, recyclable = 0;

	for (uint32_t i = 0; i < e->table.size; i++) {
		const struct flow *f = &e->table.flows[i];

		if (!f->open || f->pool != pool)
			continue;
		used++;
		recyclable += tcp_is_closed(f->tcp.state) ||
			      tcp_is_half_open(f->tcp.state);
	}
	if (recyclable != e->pools[pool].recyclable)
		return "a pool counts the ports that may be taken again";
	if (used + e->pools[pool].ports.free != e->pools[pool].ports.size)
		return "each port is free or belongs to one flow";
	return NULL;
}

/* A service and its backends, as the slots of both. */
static const char *broken_slots(const struct service *s, unsigned *leaving)
{
	int64_t credits = 0;

	*leaving += s->slot == SLOT_LEAVING;
	for (unsigned i = 0; i < s->n_backends; i++) {
		const struct backend *b = &s->backends[i];

		credits += b->credit;
		*leaving += b->slot == SLOT_LEAVING;
		if (s->slot == SLOT_FREE && b->slot != SLOT_FREE)
			return "a service outlives its backends";
		if (s->slot == SLOT_LEAVING && b->slot == SLOT_LIVE)
			return "backends leave with their service";
		if (!b->n_sources != (b->slot == SLOT_FREE))
			return "a slot in use has sources";
	}
	return credits ? "credits of a service add up to nothing" : NULL;
}

/* An end is noted when it comes, and taken back with it. */
static const char *broken_note(const struct engine *e, const struct flow *f)
{
	const struct flow_note *note = flow_note(&e->table, f);
	const bool closed = tcp_is_closed(f->tcp.state);

	if (note->end >= FLOW_ENDS)
		return "an end that is noted exists";
	if (!note->end == closed && !(closed && (note->flags & NOTE_ADOPTED)))
		return "a flow that is closed has an end, and no other";
	if (f->tcp.state == TCP_SYN_SENT &&
	    (note->handshake_us || note->first_byte_us))
		return "a handshake is timed once it is answered";
	return NULL;
}

static const char *broken_requests(const struct engine *e,
				   const struct service *s,
				   const struct service_counters *c)
{
	uint64_t pending = 0, answered = s ? s->left_answered : 0;

	if (c->requests != c->succeeded + c->failed + c->pending)
		return "requests = succeeded + failed + pending";
	for (uint32_t i = 0; i < e->table.size; i++) {
		const struct flow *f = &e->table.flows[i];

		pending += f->open && f->tcp.state == TCP_SYN_SENT &&
			   (!s || s == &e->services[f->service]);
	}
	if (pending != c->pending)
		return "a request is pending while its flow is in SYN_SENT";
	for (unsigned i = 0; s && i < s->n_backends; i++)
		answered += s->backends[i].counters.answered;
	if (s && answered != c->succeeded)
		return "what succeeds was answered by one backend";
	return NULL;
}

static unsigned count_holders(const struct engine *e, unsigned pool)
{
	unsigned n = 0;

	for (unsigned s = 0; s < e->n_services; s++) {
		for (unsigned i = 0; i < e->services[s].n_backends; i++) {
			const struct backend *b = &e->services[s].backends[i];

			for (unsigned k = 0; k < b->n_sources; k++)
				n += b->pools[k] == pool;
			n += b->alternates && b->alternate == pool;
		}
	}
	return n;
}

static const char *broken_pools(const struct engine *e)
{
	const char *broken = NULL;

	for (unsigned i = 0; !broken && i < e->n_pools; i++) {
		const struct pool *p = &e->pools[i];

		broken = broken_pool(e, i);
		if (count_holders(e, i) != p->holders)
			broken = "a pool counts the backends that hold it";
		if (addr_is_set(&p->source) &&
		    engine_find_pool(e, &p->source, &p->backend) != (int)i)
			broken = "a pair of ends has one pool, and it is found";
	}
	return broken;
}

const char *rules_broken(const struct engine *e)
{
	const char *broken = broken_balance(e);
	uint32_t used = 0;
	uint64_t total = e->left_totals;
	unsigned leaving = 0;

	for (uint32_t i = 0; !broken && i < e->table.size; i++) {
		const struct flow *f = &e->table.flows[i];

		if (f->open) {
			used++;
			broken = broken_flow(e, f);
			if (!broken)
				broken = broken_note(e, f);
		}
	}
	if (!broken)
		broken = broken_handshakes(e);
	if (!broken)
		broken = broken_requests(e, NULL, &e->requests);
	if (!broken)
		broken = broken_pools(e);
	for (unsigned s = 0; s < e->n_services; s++) {
		struct service *service = &e->services[s];

		if (!broken)
			broken = broken_slots(service, &leaving);
		if (!broken)
			broken =
				broken_requests(e, service, &service->counters);
		for (unsigned i = 0; !broken && i < service->n_backends; i++) {
			broken = broken_backend(e, &service->backends[i]);
			total += service->backends[i].counters.total;
		}
	}
	if (!broken && used != e->table.used)
		broken = "the table counts the flows in use";
	if (!broken && leaving != e->leaving)
		broken = "the slots that leave are counted";
	if (!broken && total < e->table.opened)
		broken = "each flow was given to a backend";
	return broken;
}

static bool lists_empty(const struct list_node *nodes, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (list_linked(nodes, i))
			return false;
	return true;
}

const char *rules_left(const struct engine *e)
{
	const uint32_t size = e->table.size;

	if (e->table.used)
		return "flows";
	if (e->pending.n_free != e->pending.size)
		return "kept SYNs";
	for (unsigned i = 0; i < e->n_pools; i++)
		if (e->pools[i].ports.free != e->pools[i].ports.size)
			return "ports in use";
	if (!lists_empty(e->age_nodes, size + AGE_HEADS + e->services_max) ||
	    !lists_empty(e->pool_nodes, size + e->pools_max * AGE_LISTS) ||
	    !lists_empty(e->wheel_nodes, size + WHEEL_SLOTS))
		return "members of lists";
	for (uint32_t i = 0; i < e->table.n_slots; i++)
		if (e->table.slots[i].ref)
			return "entries of the index";
	return NULL;
}
