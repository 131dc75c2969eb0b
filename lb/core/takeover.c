/* SPDX-License-Identifier: MIT */
/* takeover.c - takes over the flows of an earlier process (design rule 13) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/counting.h"
#include "core/health/evidence.h"
#include "core/lifecycle.h"
#include "core/lookup.h"
#include "core/source.h"
#include "core/state.h"

/* The ports of each pool that adopted flows hold. */
struct takeover {
	struct engine *e;
	uint64_t now_ns;
	uint8_t *used; /* a bitmap of 65536 ports per pool */
	unsigned pool; /* for port_used() */
};

static bool port_used(void *arg, uint16_t port)
{
	const struct takeover *t = arg;

	return t->used[(size_t)t->pool * 8192 + port / 8] >> port % 8 & 1;
}

/* The pool of @b that has this source; -1 if none. */
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

static bool find_place_among(struct engine *e, struct flow *flow,
			     enum slot slot)
{
	const struct endpoint vip = flow_vip(flow), nat = flow_nat(flow),
			      backend = flow_backend(flow);

	for (unsigned i = 0; i < e->n_services; i++) {
		const struct service *s = &e->services[i];

		if (s->slot == SLOT_FREE || !endpoint_equal(&s->listen, &vip))
			continue;
		for (unsigned k = 0; k < s->n_backends; k++) {
			const struct backend *b = &s->backends[k];
			int pool = find_source(e, b, &nat.addr);

			if (b->slot != slot || pool < 0 ||
			    !endpoint_equal(&b->addr, &backend))
				continue;
			flow->service = (uint16_t)i;
			flow->backend = (uint16_t)k;
			flow->pool = (uint16_t)pool;
			return true;
		}
	}
	return false;
}

/* One that leaves may have the same address as one that stays. */
static bool find_place(struct engine *e, struct flow *flow)
{
	return find_place_among(e, flow, SLOT_LIVE) ||
	       find_place_among(e, flow, SLOT_LEAVING);
}

/* Everything in the state file that we use is checked here (rule 13). */
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

/* Lists are in order of age: the first flows are recycled first. */
static int by_age(const void *a, const void *b)
{
	const struct flow *x = *(const struct flow *const *)a;
	const struct flow *y = *(const struct flow *const *)b;

	return (x->seen_ns > y->seen_ns) - (x->seen_ns < y->seen_ns);
}

static void enlist(struct engine *e, struct flow *flow)
{
	struct backend *b = engine_backend(e, flow);

	b->refs++;
	if (!tcp_is_closed(flow->tcp.state)) {
		b->flows++;
		if (flow->tcp.state != TCP_SYN_SENT) {
			/* The backend answered this source only. */
			if (b->has_alternate && flow->pool == b->alternate)
				engine_swap_source(b, b->swapped_ns);
			b->has_alternate = false;
			e->pools[b->pools[0]].answered = true;
		}
		if (b->drained)
			engine_start_sweep(e, b);
	}
	counting_adopted(e, flow);
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
	return n;
}
