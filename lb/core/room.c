/* SPDX-License-Identifier: MIT */
/*
 * room.c - makes room for a new flow: a place in the table, a port
 *
 * A closed flow keeps its place and port only until they are needed. When
 * either runs out, the flow closed longest is recycled, then the oldest
 * half-open one, then the half-closed one idle longest; never an established
 * one (design rule 10).
 */
#include "core/lifecycle.h"
#include "core/room.h"
#include "core/say.h"
#include "core/state.h"

static void recycle(struct engine *e, uint32_t index)
{
	struct flow *flow = &e->table.flows[index];

	if (tcp_is_closed(flow->tcp.state))
		e->counters.recycled_closed++;
	else if (tcp_is_half_closed(flow->tcp.state))
		e->counters.recycled_half_closed++;
	else
		e->counters.recycled_half_open++;
	engine_displace_flow(e, flow, FLOW_END_RECYCLED);
}

/* Recycles the first flow of a list other than @except; false if none. */
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
 * The same for half-closed flows. Their lists are in order only to within an
 * eighth of a second, so this looks at the first LOOK_AT and recycles the one
 * idle longest. The connection may be alive and both sides must learn that it
 * ended: without room for their resets nothing is recycled.
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

bool engine_make_room(struct engine *e)
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
 * Chooses one of our addresses toward the backend that has a free port: in
 * turn, so that they fill evenly. If none has, recycles from the lists up to
 * @last. -1 if that fails.
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

	assert(port); /* the caller has made sure */
	return (struct endpoint){.addr = e->pools[pool].source,
				 .port = htons(port)};
}

void engine_recycle_half_open(struct engine *e, unsigned service)
{
	recycle_first(e, e->age_nodes, half_open_head(e, service), NULL);
}
