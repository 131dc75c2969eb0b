/* SPDX-License-Identifier: MIT */
/* lifecycle.c - states of a flow: its lists, its timer, its end */
#include "core/counting.h"
#include "core/health/evidence.h"
#include "core/lifecycle.h"
#include "core/pending.h"
#include "core/say.h"
#include "core/state.h"

/* Keepalive probes before an idle flow expires. */
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

/* When the flow's timer must run if no packet comes. */
uint64_t engine_deadline_ns(const struct engine *e, const struct flow *flow)
{
	enum tcp_state state = flow->tcp.state;
	uint32_t s = timeout_s(e, state), ahead = 0;

	if (state == TCP_SYN_SENT)
		return pending_deadline_ns(e, flow);
	if (state == TCP_ESTABLISHED && e->timeouts.keepalive)
		ahead = (KEEPALIVES - flow->keepalives) * e->timeouts.keepalive;
	if (ahead < s)
		s -= ahead;
	return flow->seen_ns + s * NS_PER_S;
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
	/* The port of a connection that may be alive does not count as free. */
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

void engine_state_changed(struct engine *e, struct flow *flow,
			  enum tcp_state was, enum flow_end end)
{
	enum tcp_state is = flow->tcp.state;
	struct backend *b = engine_backend(e, flow);

	if (was == TCP_SYN_SENT)
		pending_over(e, flow);
	engine_list_flow(e, flow);
	engine_set_timer(e, flow);
	if (tcp_is_closed(is) && !tcp_is_closed(was)) {
		b->flows--;
		counting_ended(e, flow, was, end);
	} else if (!tcp_is_closed(is) && tcp_is_closed(was)) {
		b->flows++;
		counting_revived(e, flow);
		if (b->drained) /* it was closed when the others were reset */
			engine_start_sweep(e, b);
	}
}

/* Removes the flow from the table; its port goes to the end of its pool. */
void engine_close_flow(struct engine *e, struct flow *flow, enum flow_end end)
{
	struct backend *b = engine_backend(e, flow);

	if (!tcp_is_closed(flow->tcp.state)) {
		b->flows--;
		counting_ended(e, flow, flow->tcp.state, end);
	}
	b->refs--;
	pending_over(e, flow);
	engine_unlist_flow(e, flow);
	wheel_clear(&e->wheel, flow_index(&e->table, flow));
	ports_give(&e->pools[flow->pool].ports, ntohs(flow_nat(flow).port));
	flow_close(&e->table, flow);
}

void engine_displace_flow(struct engine *e, struct flow *flow,
			  enum flow_end end)
{
	enum tcp_state state = flow->tcp.state;

	/* A backend that answered holds memory for the connection, too. */
	if (state == TCP_SYN_RECEIVED || tcp_is_half_closed(state))
		engine_reset_side(e, flow, FLOW_REPLY);
	/* If this RST is lost, the client's next packet finds no flow and gets
	 * another one.
	 */
	if (tcp_is_half_closed(state))
		engine_reset_side(e, flow, FLOW_ORIG);
	engine_close_flow(e, flow, end);
}

void engine_reset_flow(struct engine *e, struct flow *flow, enum flow_end end,
		       uint64_t now_ns)
{
	enum tcp_state was = flow->tcp.state;

	engine_reset_side(e, flow, FLOW_ORIG);
	engine_reset_side(e, flow, FLOW_REPLY);
	e->counters.reset++;
	flow->flags |= FLOW_KILLED;
	flow->tcp.state = TCP_RESET;
	if (was != TCP_RESET)
		engine_state_changed(e, flow, was, end);
	/* Counted from now: an end that missed the RST has time to ask. */
	flow->seen_ns = now_ns;
	engine_set_timer(e, flow);
}
