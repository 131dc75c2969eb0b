/* SPDX-License-Identifier: MIT */
/*
 * Every packet to a service, from either side, comes through engine_packet():
 * find its flow, follow the connection, rewrite, send. The one decision, which
 * backend, is taken once per connection, in open_flow().
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine.h"

#define STRAY_PER_S   1000 /* enough for any restart, too slow to reflect */
#define REFUSED_PER_S 10000

/* Lists of flows that may be recycled; two for all, two per pool. */
enum age_list { AGE_CLOSED, AGE_HALF_OPEN, AGE_LISTS };

static uint32_t age_head(const struct engine *e, enum age_list list)
{
	return e->table.size + list;
}

static uint32_t pool_head(const struct engine *e, unsigned pool,
			  enum age_list list)
{
	return e->table.size + pool * AGE_LISTS + list;
}

static void notify(struct engine *e, enum flow_event event,
		   const struct flow *flow)
{
	if (e->on_flow)
		e->on_flow(e->on_flow_arg, event, flow);
}

static enum verdict drop(struct engine *e, enum drop_reason why)
{
	e->counters.dropped[why]++;
	return VERDICT_DROP;
}

void engine_refused(struct engine *e, enum drop_reason why)
{
	e->counters.received++;
	drop(e, why);
}

void engine_unsent(struct engine *e, enum drop_reason why, uint64_t count)
{
	e->counters.forwarded -= count;
	e->counters.dropped[why] += count;
}

/* ------------------------------------------------------------ originating */

static void originate(struct engine *e, const struct segment *seg)
{
	if (e->outbox_used == ENGINE_OUTBOX_MAX) {
		e->counters.outbox_lost++;
		return;
	}
	e->outbox[(e->outbox_head + e->outbox_used++) % ENGINE_OUTBOX_MAX] =
		*seg;
	e->counters.originated++;
}

bool engine_next(struct engine *e, struct segment *out)
{
	if (e->outbox_used == 0)
		return false;
	*out = e->outbox[e->outbox_head];
	e->outbox_head = (e->outbox_head + 1) % ENGINE_OUTBOX_MAX;
	e->outbox_used--;
	return true;
}

/*
 * The reset that a host without such a connection sends: RFC 9293 section
 * 3.10.7.1. Never in answer to a reset.
 */
static void answer_reset(struct engine *e, const struct packet *p,
			 struct limit *limit, uint64_t now_ns)
{
	struct segment rst = { .src = p->key.pair.dst,
			       .dst = p->key.pair.src };

	if (p->tcp.flags & TCP_RST)
		return;
	if (!limit_allow(limit, now_ns)) {
		e->counters.answers_limited++;
		return;
	}
	if (p->tcp.flags & TCP_ACK) {
		rst.seq = p->tcp.ack;
		rst.flags = TCP_RST;
	} else {
		rst.ack = p->tcp.seq + p->tcp.len +
			  !!(p->tcp.flags & TCP_SYN) +
			  !!(p->tcp.flags & TCP_FIN);
		rst.flags = TCP_RST | TCP_ACK;
	}
	originate(e, &rst);
}

/* ---------------------------------------------------- states of one flow */

static uint64_t timeout_ns(const struct engine *e, const struct flow *flow)
{
	uint32_t s = 0;

	switch ((enum tcp_state)flow->tcp.state) {
	case TCP_SYN_SENT: s = e->timeouts.syn_sent; break;
	case TCP_SYN_RECEIVED: s = e->timeouts.syn_received; break;
	case TCP_ESTABLISHED: s = e->timeouts.established; break;
	case TCP_FIN_WAIT:
	case TCP_CLOSING: s = e->timeouts.closing; break;
	case TCP_TIME_WAIT:
	case TCP_RESET:
	case TCP_STATES: s = e->timeouts.closed; break;
	}
	return s * ENGINE_NS_PER_S;
}

/* Puts the flow into the lists its state asks for. */
static void list_by_state(struct engine *e, struct flow *flow)
{
	uint32_t i = flow_index(&e->table, flow);
	enum age_list list;

	list_remove(e->age_nodes, i);
	list_remove(e->pool_nodes, i);
	if (tcp_is_closed(flow->tcp.state))
		list = AGE_CLOSED;
	else if (tcp_is_half_open(flow->tcp.state))
		list = AGE_HALF_OPEN;
	else
		return; /* never recycled */
	list_append(e->age_nodes, age_head(e, list), i);
	list_append(e->pool_nodes, pool_head(e, flow->pool, list), i);
}

/* Everything that follows from a change of state, wherever it came from. */
static void state_changed(struct engine *e, struct flow *flow,
			  enum tcp_state was)
{
	enum tcp_state is = flow->tcp.state;
	struct backend *b = engine_backend(e, flow);

	list_by_state(e, flow);
	wheel_set(&e->wheel, flow_index(&e->table, flow),
		  flow->seen_ns + timeout_ns(e, flow));
	if (tcp_is_closed(is) && !tcp_is_closed(was)) {
		b->flows--;
		if (was == TCP_SYN_SENT)
			b->failed++;
		notify(e, FLOW_CLOSED, flow);
	} else if (!tcp_is_closed(is) && tcp_is_closed(was)) {
		b->flows++;
		notify(e, FLOW_REVIVED, flow);
	}
}

/* Takes the flow out of the table; its port rests behind all others. */
static void close_flow(struct engine *e, struct flow *flow)
{
	uint32_t i = flow_index(&e->table, flow);
	struct pool *pool = &e->pools[flow->pool];

	if (!tcp_is_closed(flow->tcp.state))
		engine_backend(e, flow)->flows--;
	list_remove(e->age_nodes, i);
	list_remove(e->pool_nodes, i);
	wheel_clear(&e->wheel, i);
	ports_give(&pool->ports, ntohs(flow_nat(flow).port));
	flow_close(&e->table, flow);
}

static void recycle(struct engine *e, uint32_t index, enum age_list list)
{
	struct flow *flow = &e->table.flows[index];

	if (list == AGE_CLOSED)
		e->counters.recycled_closed++;
	else
		e->counters.recycled_half_open++;
	if (list != AGE_CLOSED)
		notify(e, FLOW_RECYCLED, flow);
	close_flow(e, flow);
}

/* Longest closed first, then the oldest half-open, never an established. */
static bool make_room_in_table(struct engine *e)
{
	if (e->table.used < e->table.size)
		return true;
	for (unsigned list = 0; list < AGE_LISTS; list++) {
		uint32_t head = age_head(e, list);
		uint32_t oldest = e->age_nodes[head].next;

		if (oldest != head) {
			recycle(e, oldest, list);
			return true;
		}
	}
	return false;
}

/* --------------------------------------------------------- opening a flow */

static bool pool_has_room(struct engine *e, unsigned pool, int recycle_from)
{
	uint32_t head, oldest;

	if (e->pools[pool].ports.free)
		return true;
	if (recycle_from < 0)
		return false;
	head = pool_head(e, pool, (enum age_list)recycle_from);
	oldest = e->pool_nodes[head].next;
	if (oldest == head)
		return false;
	recycle(e, oldest, (enum age_list)recycle_from);
	return true;
}

/*
 * One of our addresses toward the backend that has a port: in turn, so that
 * they fill evenly. First without recycling, then with. -1 if there is none.
 */
static int pick_pool(struct engine *e, struct backend *b)
{
	for (int from = -1; from < AGE_LISTS; from++) {
		for (unsigned n = 0; n < b->n_sources; n++) {
			unsigned at = (b->next_source + n) % b->n_sources;

			if (pool_has_room(e, b->pools[at], from)) {
				b->next_source = (at + 1) % b->n_sources;
				return b->pools[at];
			}
		}
	}
	return -1;
}

static struct flow *open_flow(struct engine *e, unsigned service_index,
			      const struct packet *p, uint64_t now_ns,
			      enum drop_reason *why)
{
	struct service *s = &e->services[service_index];
	struct backend_set tried = { 0 };
	struct flow_identity id;
	struct backend *b;
	struct flow *flow;
	int pool = -1;

	*why = DROP_TABLE_FULL;
	if (!make_room_in_table(e))
		return NULL;

	*why = DROP_NO_BACKEND;
	while (pool < 0) {
		b = sched_pick(s, &tried);
		if (!b)
			return NULL;
		pool = pick_pool(e, b);
		if (pool < 0) {
			*why = DROP_NO_PORT;
			backend_set_add(&tried, b->index);
		}
	}

	id = (struct flow_identity){
		.client = p->key.pair.src,
		.vip = p->key.pair.dst,
		.nat = { .addr = e->pools[pool].source,
			 .port = htons(ports_take(&e->pools[pool].ports)) },
		.backend = b->addr,
		.proto = p->key.proto,
		.service_index = (uint16_t)service_index,
		.backend_index = (uint16_t)b->index,
		.pool = (uint16_t)pool,
	};
	flow = flow_open(&e->table, &id, now_ns);
	assert(flow); /* room was made */
	tcp_track_open(&flow->tcp, &p->tcp);
	b->flows++;
	b->total++;
	list_by_state(e, flow);
	wheel_set(&e->wheel, flow_index(&e->table, flow),
		  now_ns + timeout_ns(e, flow));
	notify(e, FLOW_OPENED, flow);
	return flow;
}

/* ------------------------------------------------------------ one packet */

static int find_service(const struct engine *e, const struct endpoint *to)
{
	for (unsigned i = 0; i < e->n_services; i++)
		if (endpoint_equal(&e->services[i].listen, to))
			return (int)i;
	return -1;
}

static bool is_from_backend(const struct engine *e, const struct packet *p)
{
	for (unsigned i = 0; i < e->n_pools; i++)
		if (endpoint_equal(&e->pools[i].backend, &p->key.pair.src) &&
		    addr_equal(&e->pools[i].source, &p->key.pair.dst.addr))
			return true;
	return false;
}

/* Not a SYN, and nobody's: the sender learns at once (design rule 5). */
static enum verdict out_of_state(struct engine *e, const struct packet *p,
				 int service, uint64_t now_ns)
{
	if (service >= 0) {
		if (e->services[service].reset_out_of_state)
			answer_reset(e, p, &e->limit_stray, now_ns);
		return drop(e, DROP_OUT_OF_STATE);
	}
	/* Anybody else who talks to our addresses talks to the host's own
	 * stack, which has seen the packet too.
	 */
	if (!is_from_backend(e, p))
		return drop(e, DROP_NOT_OURS);
	answer_reset(e, p, &e->limit_reply, now_ns);
	return drop(e, DROP_OUT_OF_STATE);
}

static void follow(struct engine *e, struct flow *flow, enum flow_side side,
		   const struct packet *p, uint64_t now_ns)
{
	enum tcp_state was = flow->tcp.state;

	flow->packets[side]++;
	flow->bytes[side] += packet_len(p);
	switch (tcp_track(&flow->tcp, side, &p->tcp)) {
	case TCP_VALID:
		/* Only what belongs to the connection keeps it alive. */
		flow->seen_ns = now_ns;
		break;
	case TCP_OUT_OF_WINDOW: e->counters.out_of_window++; break;
	case TCP_BAD_RST: e->counters.bad_rst++; break;
	}
	if (flow->tcp.state != was)
		state_changed(e, flow, was);
}

enum verdict engine_packet(struct engine *e, struct packet *p, uint64_t now_ns)
{
	enum flow_side side = FLOW_ORIG;
	struct flow *flow;

	e->counters.received++;
	if (packet_ttl(p) <= 1)
		return drop(e, DROP_TTL);

	flow = flow_find(&e->table, &p->key, p->hash, &side);
	if (flow && side == FLOW_ORIG && packet_opens(p) &&
	    tcp_track_superseded(&flow->tcp, &p->tcp)) {
		close_flow(e, flow);
		flow = NULL;
	}
	if (!flow) {
		int service = find_service(e, &p->key.pair.dst);
		enum drop_reason why;

		if (service < 0 || !packet_opens(p))
			return out_of_state(e, p, service, now_ns);
		flow = open_flow(e, (unsigned)service, p, now_ns, &why);
		if (!flow) {
			answer_reset(e, p, &e->limit_refused, now_ns);
			return drop(e, why);
		}
		flow->packets[side]++;
		flow->bytes[side] += packet_len(p);
	} else {
		follow(e, flow, side, p, now_ns);
	}

	packet_rewrite(p, &flow->pair[!side].dst, &flow->pair[!side].src);
	p->out_mss = flow->tcp.side[!side].mss;
	e->counters.forwarded++;
	return VERDICT_SEND;
}

uint64_t engine_tick(struct engine *e, uint64_t now_ns, unsigned budget)
{
	for (; budget > 0; budget--) {
		uint32_t i = wheel_take(&e->wheel, now_ns);
		struct flow *flow;
		uint64_t due;

		if (i == WHEEL_NONE)
			return wheel_next_ns(&e->wheel);
		flow = &e->table.flows[i];
		due = flow->seen_ns + timeout_ns(e, flow);
		if (due > now_ns) { /* postponed by packets since */
			wheel_set(&e->wheel, i, due);
			continue;
		}
		if (!tcp_is_closed(flow->tcp.state)) {
			e->counters.expired++;
			if (flow->tcp.state == TCP_SYN_SENT)
				engine_backend(e, flow)->failed++;
			notify(e, FLOW_EXPIRED, flow);
		}
		close_flow(e, flow);
	}
	return now_ns;
}

/* -------------------------------------------------------------- starting */

/* The pool for one of our addresses toward one backend, shared by services. */
static int add_pool(struct engine *e, const struct ip_addr *source,
		    const struct endpoint *backend)
{
	struct pool *pool;

	for (unsigned i = 0; i < e->n_pools; i++)
		if (addr_equal(&e->pools[i].source, source) &&
		    endpoint_equal(&e->pools[i].backend, backend))
			return (int)i;
	pool = &e->pools[e->n_pools];
	pool->source = *source;
	pool->backend = *backend;
	return (int)e->n_pools++;
}

static int add_service(struct engine *e, unsigned index,
		       const struct service_spec *spec)
{
	struct service *s = &e->services[index];

	s->listen = spec->listen;
	s->scheduler = spec->scheduler;
	s->reset_out_of_state = spec->reset_out_of_state;
	s->n_backends = spec->n_backends;
	s->backends = calloc(spec->n_backends, sizeof(*s->backends));
	if (!s->backends)
		return -ENOMEM;
	for (unsigned i = 0; i < spec->n_backends; i++) {
		const struct backend_spec *from = &spec->backends[i];
		struct backend *b = &s->backends[i];

		b->addr = from->addr;
		b->index = i;
		b->service = index;
		b->weight = from->weight;
		b->backup = from->backup;
		b->up = true;
		b->n_sources = from->n_sources;
		for (unsigned k = 0; k < from->n_sources; k++)
			b->pools[k] = (uint16_t)add_pool(e, &from->sources[k],
							 &from->addr);
	}
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
			assert(s->backends[k].n_sources <=
			       SERVICE_SOURCES_MAX);
			n += s->backends[k].n_sources;
		}
	}
	return n <= UINT16_MAX ? (int)n : -1;
}

static int fill_pools(struct engine *e, const struct engine_spec *spec)
{
	struct random random = { .state = spec->seed };

	e->port_memory = calloc((size_t)e->n_pools * spec->n_ports + 1,
				sizeof(*e->port_memory));
	if (!e->port_memory)
		return -ENOMEM;
	for (unsigned i = 0; i < e->n_pools; i++)
		ports_init(&e->pools[i].ports,
			   e->port_memory + (size_t)i * spec->n_ports,
			   spec->ports, spec->n_ports, &random);
	return 0;
}

static int make_lists(struct engine *e, uint64_t now_ns)
{
	uint32_t flows = e->table.size;
	uint32_t heads = e->n_pools * AGE_LISTS;

	e->wheel_nodes = calloc(flows + WHEEL_SLOTS, sizeof(*e->wheel_nodes));
	e->age_nodes = calloc(flows + AGE_LISTS, sizeof(*e->age_nodes));
	e->pool_nodes = calloc(flows + heads, sizeof(*e->pool_nodes));
	if (!e->wheel_nodes || !e->age_nodes || !e->pool_nodes)
		return -ENOMEM;
	wheel_init(&e->wheel, e->wheel_nodes, flows, now_ns);
	list_init(e->age_nodes, flows + AGE_LISTS);
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
			       "too many pairs of source address and backend: "
			       "%u is the most", UINT16_MAX);
	e = calloc(1, sizeof(*e));
	if (!e)
		goto fail;
	e->timeouts = spec->timeouts;
	e->on_flow = spec->on_flow;
	e->on_flow_arg = spec->on_flow_arg;
	limit_init(&e->limit_stray, STRAY_PER_S, STRAY_PER_S);
	limit_init(&e->limit_reply, STRAY_PER_S, STRAY_PER_S);
	limit_init(&e->limit_refused, REFUSED_PER_S, REFUSED_PER_S);

	e->n_services = spec->n_services;
	e->services = calloc(spec->n_services, sizeof(*e->services));
	e->pools = calloc((size_t)n_pools, sizeof(*e->pools));
	if (!e->services || !e->pools)
		goto fail;
	for (unsigned i = 0; i < spec->n_services; i++)
		if (add_service(e, i, &spec->services[i]))
			goto fail;
	if (fill_pools(e, spec) ||
	    flow_table_init(&e->table, spec->flows, spec->n_flows,
			    spec->secret) ||
	    make_lists(e, now_ns))
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
	free(e->port_memory);
	free(e->wheel_nodes);
	free(e->age_nodes);
	free(e->pool_nodes);
	flow_table_free(&e->table);
	free(e);
}
