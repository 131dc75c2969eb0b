/* SPDX-License-Identifier: MIT */
/* sweep.c - resets many flows: of a dead backend, or all at a clean exit */
#include "core/drain.h"
#include "core/handshake.h"
#include "core/lifecycle.h"
#include "core/say.h"
#include "core/state.h"
#include "core/sweep.h"

#define SWEEP_STEP 512 /* flows visited between two batches of packets */

/*
 * Paced by the outbox: its segments must leave before more are added, so that a
 * hundred thousand flows of a dead backend do not stall the others.
 */
bool engine_sweep(struct engine *e, uint64_t now_ns)
{
	if (e->sweep_left == 0)
		return false;
	for (unsigned n = 0; n < SWEEP_STEP && e->sweep_left > 0; n++) {
		struct flow *flow;

		if (!engine_has_room(e, ENGINE_OUTBOX_MAX / 2))
			return true;
		flow = &e->table.flows[e->sweep_at];
		if (++e->sweep_at == e->table.size)
			e->sweep_at = 0;
		e->sweep_left--;
		if (!flow->open || tcp_is_closed(flow->tcp.state) ||
		    !engine_backend(e, flow)->sweep)
			continue;
		/* Its client has no SYN-ACK yet: another backend may answer. */
		if (flow->tcp.state == TCP_SYN_SENT &&
		    handshake_leave(e, flow, now_ns))
			continue;
		engine_reset_flow(e, flow,
				  engine_sweep_end(e, engine_backend(e, flow)),
				  now_ns);
	}
	if (e->sweep_left > 0)
		return true;
	for (unsigned s = 0; s < e->n_services; s++)
		for (unsigned i = 0; i < e->services[s].n_backends; i++)
			e->services[s].backends[i].sweep = false;
	return false;
}

void engine_retime(struct engine *e)
{
	for (unsigned n = 0; n < SWEEP_STEP && e->retime_left > 0; n++) {
		const struct flow *flow = &e->table.flows[e->retime_at];

		if (++e->retime_at == e->table.size)
			e->retime_at = 0;
		e->retime_left--;
		if (flow->open)
			engine_set_timer(e, flow);
	}
}

void engine_refuse_new(struct engine *e)
{
	for (unsigned s = 0; s < e->n_services; s++) {
		e->services[s].params.drop_all_down = false;
		for (unsigned i = 0; i < e->services[s].n_backends; i++)
			e->services[s].backends[i].params.weight = 0;
	}
}

bool engine_reset_all(struct engine *e, uint64_t now_ns)
{
	for (; e->reset_at < e->table.size; e->reset_at++) {
		struct flow *flow = &e->table.flows[e->reset_at];

		if (!engine_has_room(e, ENGINE_OUTBOX_MAX))
			return true;
		if (flow->open && !tcp_is_closed(flow->tcp.state))
			engine_reset_flow(e, flow, FLOW_END_SHUTDOWN, now_ns);
	}
	e->reset_at = 0;
	return false;
}
