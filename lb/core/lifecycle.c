/* SPDX-License-Identifier: MIT */
/*
 * lifecycle.c - a flow opens, changes state, makes room for others, closes
 *
 * A closed flow keeps its place and port only until they are wanted. When
 * something runs out, the longest-closed flow makes room, then the oldest
 * half-open one, then the half-closed one that was idle longest, never an
 * established one (design rule 10).
 */
#include "core/engine_internal.h"

/* Keepalive probes before an idle flow is given up. */
#define KEEPALIVES 3

static uint32_t timeout_s(const struct engine *e, enum tcp_state state)
{
	switch (state) {
	case TCP_SYN_SENT: return e->timeouts.syn_sent;
	case TCP_SYN_RECEIVED: return e->timeouts.syn_received;
	case TCP_ESTABLISHED: return e->timeouts.established;
	case TCP_FIN_WAIT:
	case TCP_CLOSING: return e->timeouts.closing;
	case TCP_TIME_WAIT:
	case TCP_RESET:
	case TCP_STATES: break;
	}
	return e->timeouts.closed;
}

/* When something is to be done about the flow if no packet comes. */
uint64_t engine_deadline_ns(const struct engine *e, const struct flow *flow)
{
	enum tcp_state state = flow->tcp.state;
	uint32_t s = timeout_s(e, state), ahead = 0;

	if (state == TCP_SYN_SENT)
		return handshake_deadline_ns(e, flow);
	if (state == TCP_ESTABLISHED && e->timeouts.keepalive)
		ahead = (KEEPALIVES - flow->keepalives) * e->timeouts.keepalive;
	if (ahead < s)
		s -= ahead;
	return flow->seen_ns + s * ENGINE_NS_PER_S;
}

void engine_set_timer(struct engine *e, const struct flow *flow)
{
	wheel_set(&e->wheel, flow_index(&e->table, flow),
		  engine_deadline_ns(e, flow));
}

void engine_unlist_flow(struct engine *e, struct flow *flow)
{
	uint32_t i = flow_index(&e->table, flow);

	if (flow->flags & FLOW_HALF_OPEN)
		e->services[flow->service].half_open--;
	if (list_linked(e->pool_nodes, i) && !(flow->flags & FLOW_HALF_CLOSED))
		e->pools[flow->pool].recyclable--;
	flow->flags &= (uint8_t) ~(FLOW_HALF_OPEN | FLOW_HALF_CLOSED);
	list_remove(e->age_nodes, i);
	list_remove(e->pool_nodes, i);
}

static enum age_list list_of(enum tcp_state state)
{
	if (tcp_is_half_open(state))
		return AGE_HALF_OPEN;
	if (tcp_is_half_closed(state))
		return AGE_HALF_CLOSED;
	return tcp_is_closed(state) ? AGE_CLOSED : AGE_LISTS;
}

void engine_list_flow(struct engine *e, struct flow *flow)
{
	const enum age_list list = list_of(flow->tcp.state);
	uint32_t i = flow_index(&e->table, flow), head = closed_head(e);

	engine_unlist_flow(e, flow);
	if (list == AGE_LISTS)
		return;
	if (list == AGE_HALF_OPEN) {
		flow->flags |= FLOW_HALF_OPEN;
		e->services[flow->service].half_open++;
		head = half_open_head(e, flow->service);
	} else if (list == AGE_HALF_CLOSED) {
		flow->flags |= FLOW_HALF_CLOSED;
		head = half_closed_head(e);
	}
	list_append(e->age_nodes, head, i);
	list_append(e->pool_nodes, pool_head(e, flow->pool, list), i);
	/* Those of a connection that may be alive are not counted as free. */
	if (list != AGE_HALF_CLOSED)
		e->pools[flow->pool].recyclable++;
}

void engine_flow_moves(struct engine *e, struct flow *flow)
{
	uint32_t i = flow_index(&e->table, flow);

	list_remove(e->age_nodes, i);
	list_remove(e->pool_nodes, i);
	list_append(e->age_nodes, half_closed_head(e), i);
	list_append(e->pool_nodes, pool_head(e, flow->pool, AGE_HALF_CLOSED),
		    i);
}

void engine_count_failed(struct engine *e, struct flow *flow)
{
	if (flow->flags & FLOW_FAILED)
		return;
	flow->flags |= FLOW_FAILED;
	engine_backend(e, flow)->failed++;
}

void engine_state_changed(struct engine *e, struct flow *flow,
			  enum tcp_state was, enum flow_event ending)
{
	enum tcp_state is = flow->tcp.state;
	struct backend *b = engine_backend(e, flow);

	if (was == TCP_SYN_SENT)
		handshake_over(e, flow);
	engine_list_flow(e, flow);
	engine_set_timer(e, flow);
	if (tcp_is_closed(is) && !tcp_is_closed(was)) {
		b->flows--;
		if (was == TCP_SYN_SENT)
			engine_count_failed(e, flow);
		engine_notify(e, ending, flow);
	} else if (!tcp_is_closed(is) && tcp_is_closed(was)) {
		b->flows++;
		engine_notify(e, FLOW_REVIVED, flow);
	}
}

/* Takes the flow out of the table; its port rests behind all others. */
void engine_close_flow(struct engine *e, struct flow *flow)
{
	if (!tcp_is_closed(flow->tcp.state))
		engine_backend(e, flow)->flows--;
	handshake_over(e, flow);
	engine_unlist_flow(e, flow);
	wheel_clear(&e->wheel, flow_index(&e->table, flow));
	ports_give(&e->pools[flow->pool].ports, ntohs(flow_nat(flow).port));
	flow_close(&e->table, flow);
}

void engine_displace_flow(struct engine *e, struct flow *flow)
{
	enum tcp_state state = flow->tcp.state;

	if (state == TCP_SYN_SENT)
		engine_count_failed(e, flow);
	/* A backend that answered holds memory for it, too. */
	if (state == TCP_SYN_RECEIVED || tcp_is_half_closed(state))
		engine_reset_side(e, flow, FLOW_REPLY);
	/* What the client then still sends, a packet without a flow, tells it
	 * again if this one is lost.
	 */
	if (tcp_is_half_closed(state))
		engine_reset_side(e, flow, FLOW_ORIG);
	if (!tcp_is_closed(state))
		engine_notify(e, FLOW_RECYCLED, flow);
	engine_close_flow(e, flow);
}

/* ----------------------------------------------------------- making room */

static void recycle(struct engine *e, uint32_t index)
{
	struct flow *flow = &e->table.flows[index];

	if (tcp_is_closed(flow->tcp.state))
		e->counters.recycled_closed++;
	else if (tcp_is_half_closed(flow->tcp.state))
		e->counters.recycled_half_closed++;
	else
		e->counters.recycled_half_open++;
	engine_displace_flow(e, flow);
}

/* The first of a list, unless it is @except or there is none. */
static bool recycle_first(struct engine *e, const struct list_node *nodes,
			  uint32_t head, const struct flow *except)
{
	uint32_t i = nodes[head].next;

	if (i != head && except && i == flow_index(&e->table, except))
		i = nodes[i].next;
	if (i == head)
		return false;
	recycle(e, i);
	return true;
}

#define LOOK_AT 8 /* flows */

/*
 * The same of half-closed flows, whose lists are in order to within an eighth
 * of a second: one of the first that was idle longest. Both sides of what may
 * be alive must learn of it: not without room for their resets.
 */
static bool recycle_idle(struct engine *e, const struct list_node *nodes,
			 uint32_t head, const struct flow *except)
{
	const struct flow *idle = NULL;
	uint32_t i = nodes[head].next;

	if (!engine_has_room(e, ENGINE_OUTBOX_MAX))
		return false;
	for (unsigned n = 0; n < LOOK_AT && i != head; n++, i = nodes[i].next) {
		const struct flow *flow = &e->table.flows[i];

		if (flow != except && (!idle || flow->seen_ns < idle->seen_ns))
			idle = flow;
	}
	if (!idle)
		return false;
	recycle(e, flow_index(&e->table, idle));
	return true;
}

static bool make_room_in_table(struct engine *e)
{
	const struct flow *oldest = NULL;

	if (e->table.used < e->table.size)
		return true;
	if (recycle_first(e, e->age_nodes, closed_head(e), NULL))
		return true;
	for (unsigned s = 0; s < e->n_services; s++) {
		uint32_t head = half_open_head(e, s);
		uint32_t i = e->age_nodes[head].next;

		if (i != head && (!oldest || e->table.flows[i].opened_ns <
						     oldest->opened_ns))
			oldest = &e->table.flows[i];
	}
	if (!oldest)
		return recycle_idle(e, e->age_nodes, half_closed_head(e), NULL);
	recycle(e, flow_index(&e->table, oldest));
	return true;
}

static bool pool_has_room(struct engine *e, unsigned pool, int recycle_from,
			  const struct flow *except)
{
	if (e->pools[pool].away)
		return false;
	if (e->pools[pool].ports.free)
		return true;
	if (recycle_from < 0)
		return false;
	if (recycle_from == AGE_HALF_CLOSED)
		return recycle_idle(e, e->pool_nodes,
				    pool_head(e, pool, AGE_HALF_CLOSED),
				    except);
	return recycle_first(e, e->pool_nodes,
			     pool_head(e, pool, (enum age_list)recycle_from),
			     except);
}

/*
 * One of our addresses toward the backend that has a port: in turn, so that
 * they fill evenly. First without recycling, then with, up to the list @last.
 * -1 if there is none.
 */
int engine_pick_pool(struct engine *e, struct backend *b, enum age_list last,
		     const struct flow *except)
{
	for (int from = -1; from <= (int)last; from++) {
		for (unsigned n = 0; n < b->n_sources; n++) {
			unsigned at = (b->next_source + n) % b->n_sources;

			if (pool_has_room(e, b->pools[at], from, except)) {
				b->next_source = (at + 1) % b->n_sources;
				return b->pools[at];
			}
		}
	}
	return -1;
}

struct endpoint engine_take_nat(struct engine *e, unsigned pool)
{
	uint16_t port = ports_take(&e->pools[pool].ports);

	assert(port); /* the caller made sure */
	return (struct endpoint){.addr = e->pools[pool].source,
				 .port = htons(port)};
}

/* -------------------------------------------------------------- opening */

static struct backend *pick_recycling(struct engine *e, struct service *s,
				      struct backend_set tried,
				      enum age_list last,
				      const struct flow *except, int *pool,
				      enum drop_reason *why, uint64_t now_ns)
{
	*why = DROP_NO_BACKEND;
	for (;;) {
		struct backend *b = sched_pick(s, &tried, now_ns);

		if (!b)
			return NULL;
		engine_settle_source(e, b, now_ns);
		*pool = engine_pick_pool(e, b, last, except);
		if (*pool >= 0)
			return b;
		/* No way yet: silence has the client try again. */
		*why = *why != DROP_NO_PORT && engine_all_away(e, b)
			       ? DROP_NO_ROUTE
			       : DROP_NO_PORT;
		backend_set_add(&tried, b->index);
	}
}

struct backend *engine_pick(struct engine *e, struct service *s,
			    const struct backend_set *tried,
			    const struct flow *except, int *pool,
			    enum drop_reason *why, uint64_t now_ns)
{
	struct backend *b = pick_recycling(e, s, *tried, AGE_HALF_OPEN, except,
					   pool, why, now_ns);

	/* Another backend's port rather than one of a connection that may be
	 * alive.
	 */
	if (!b && *why == DROP_NO_PORT)
		b = pick_recycling(e, s, *tried, AGE_HALF_CLOSED, except, pool,
				   why, now_ns);
	return b;
}

struct flow *engine_open_flow(struct engine *e, unsigned service_index,
			      const struct packet *p, uint64_t now_ns,
			      enum drop_reason *why)
{
	struct service *s = &e->services[service_index];
	struct backend_set tried = {0};
	struct flow_identity id;
	struct backend *b;
	struct flow *flow;
	int pool;

	*why = DROP_NOT_OURS;
	if (s->away)
		return NULL;
	/* Somebody who gets no backend must not cost another one a place. */
	b = engine_pick(e, s, &tried, NULL, &pool, why, now_ns);
	if (!b)
		return NULL;
	/* A flood displaces its own flows first. */
	if (s->half_open >= s->half_open_max)
		recycle_first(e, e->age_nodes, half_open_head(e, service_index),
			      NULL);
	*why = DROP_TABLE_FULL;
	if (!make_room_in_table(e))
		return NULL;

	id = (struct flow_identity){
		.client = p->key.pair.src,
		.vip = p->key.pair.dst,
		.nat = engine_take_nat(e, (unsigned)pool),
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
	handshake_open(e, flow, p, now_ns);
	engine_list_flow(e, flow);
	engine_set_timer(e, flow);
	engine_notify(e, FLOW_OPENED, flow);
	return flow;
}
