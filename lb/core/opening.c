/* SPDX-License-Identifier: MIT */
/* opening.c - opens a flow: chooses its backend, our address and port */
#include "core/away.h"
#include "core/counting.h"
#include "core/lifecycle.h"
#include "core/opening.h"
#include "core/pending.h"
#include "core/room.h"
#include "core/sched/choose.h"
#include "core/source.h"
#include "core/state.h"

/* Two, so that a lower limit is reached, too, while new flows come. */
#define RECYCLED_AT_ONCE 2

/* Recycles flows from the lists up to @last. */
static struct choice pick(struct engine *e, struct service *s,
			  struct sched_question *q, struct sched_why *why,
			  enum age_list last, const struct flow *except)
{
	struct choice choice = {.why = DROP_NO_BACKEND};

	for (;;) {
		struct backend *b = sched_choose(s, q, why);
		int pool;

		if (!b)
			return choice;
		engine_settle_source(e, b, q->now_ns);
		pool = engine_pick_pool(e, b, last, except);
		if (pool >= 0)
			return (struct choice){.backend = b,
					       .pool = (unsigned)pool};
		/* No route yet: without an answer the client tries again. */
		choice.why = choice.why != DROP_NO_PORT && engine_all_away(e, b)
				     ? DROP_NO_ROUTE
				     : DROP_NO_PORT;
		backend_set_add(&q->tried, b->index);
	}
}

struct choice engine_pick(struct engine *e, struct service *s,
			  struct sched_question *q, struct sched_why *why,
			  const struct flow *except)
{
	const struct backend_set tried = q->tried;
	struct choice choice = pick(e, s, q, why, AGE_HALF_OPEN, except);

	/* First try the ports of other backends, then take one of a connection
	 * that may be alive.
	 */
	if (!choice.backend && choice.why == DROP_NO_PORT) {
		q->tried = tried;
		choice = pick(e, s, q, why, AGE_HALF_CLOSED, except);
	}
	return choice;
}

struct flow *engine_open_flow(struct engine *e, unsigned service_index,
			      const struct packet *p, uint64_t now_ns,
			      enum drop_reason *why)
{
	struct service *s = &e->services[service_index];
	struct sched_question question = {
		.client = &p->key.pair.src,
		.now_ns = now_ns,
	};
	struct sched_why reasons;
	struct flow_identity id;
	struct choice choice;
	struct backend *b;
	struct flow *flow;

	*why = DROP_NOT_OURS;
	if (s->away)
		return NULL;
	/* First the backend: a SYN without one must not cost a flow its place.
	 */
	choice = engine_pick(e, s, &question, &reasons, NULL);
	b = choice.backend;
	*why = choice.why;
	if (!b)
		return NULL;
	/* A flood displaces its own flows first. */
	for (unsigned n = 0;
	     n < RECYCLED_AT_ONCE && s->half_open >= s->half_open_limit; n++)
		engine_recycle_half_open(e, service_index);
	*why = DROP_TABLE_FULL;
	if (!engine_make_room(e))
		return NULL;

	id = (struct flow_identity){
		.client = p->key.pair.src,
		.vip = p->key.pair.dst,
		.nat = engine_take_nat(e, choice.pool),
		.backend = b->addr,
		.proto = p->key.proto,
		.service_index = (uint16_t)service_index,
		.backend_index = (uint16_t)b->index,
		.pool = (uint16_t)choice.pool,
	};
	flow = flow_open(&e->table, &id, now_ns);
	assert(flow); /* room was made */
	sched_commit(s, b, &reasons);
	tcp_track_open(&flow->tcp, &p->tcp);
	b->refs++;
	b->flows++;
	counting_opened(e, flow);
	pending_open(e, flow, p, now_ns);
	engine_list_flow(e, flow);
	engine_set_timer(e, flow);
	engine_notify(e, FLOW_OPENED, flow);
	return flow;
}
