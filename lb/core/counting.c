/* SPDX-License-Identifier: MIT */
/* counting.c - counts what happens to flows, and writes their notes */
#include "core/counting.h"

/* Requests are counted for their service and for all, also those of before. */
enum scope { OF_SERVICE, OF_ALL, SCOPES };

static void find_scopes(struct engine *e, unsigned service,
			struct service_counters *c[SCOPES])
{
	c[OF_SERVICE] = &e->services[service].counters;
	c[OF_ALL] = &e->requests;
}

static void count_request(struct engine *e, const struct flow *flow)
{
	struct service_counters *c[SCOPES];

	find_scopes(e, flow->service, c);
	for (int i = 0; i < SCOPES; i++) {
		c[i]->requests++;
		c[i]->pending++;
	}
}

static void decide_request(struct engine *e, const struct flow *flow,
			   bool success)
{
	struct service_counters *c[SCOPES];

	find_scopes(e, flow->service, c);
	for (int i = 0; i < SCOPES; i++) {
		c[i]->pending--;
		c[i]->succeeded += success;
		c[i]->failed += !success;
	}
}

/* Its client does not connect again because of this, or not to us. */
static bool is_request(enum drop_reason why)
{
	return why != DROP_SYN_OVERLOAD && why != DROP_MPTCP_JOIN &&
	       why != DROP_NOT_OURS;
}

void counting_refused(struct engine *e, unsigned service,
		      const struct packet *syn, enum drop_reason why)
{
	struct service_counters *c[SCOPES];

	find_scopes(e, service, c);
	for (int i = 0; i < SCOPES; i++) {
		c[i]->refused[why]++;
		c[i]->requests += is_request(why);
		c[i]->failed += is_request(why);
	}
	if (e->on_refused)
		e->on_refused(e->on_arg, service, &syn->key.pair.src, why);
}

/* ------------------------------------------------------------ its backend */

static void note_choice(const struct engine *e, const struct flow *flow)
{
	struct flow_note *note = flow_note(&e->table, flow);
	const struct backend *b = engine_backend(e, flow);

	if (note->tries < UINT8_MAX)
		note->tries++;
	note->why = (uint8_t)(1 + e->services[flow->service].params.scheduler);
	note->flags &= (uint8_t) ~(NOTE_BACKUP | NOTE_UNREACHABLE);
	if (b->params.backup)
		note->flags |= NOTE_BACKUP;
}

void counting_opened(struct engine *e, struct flow *flow)
{
	engine_backend(e, flow)->counters.total++;
	count_request(e, flow);
	note_choice(e, flow);
}

void counting_adopted(struct engine *e, struct flow *flow)
{
	struct backend_counters *c = &engine_backend(e, flow)->counters;

	c->total++;
	c->ended_before += tcp_is_closed(flow->tcp.state);
	if (flow->tcp.state == TCP_SYN_SENT)
		count_request(e, flow);
	*flow_note(&e->table, flow) = (struct flow_note){.flags = NOTE_ADOPTED};
}

void counting_moved(struct engine *e, struct flow *flow, struct backend *was)
{
	was->counters.redispatched++;
	engine_backend(e, flow)->counters.total++;
	flow->flags &= (uint8_t)~FLOW_FAILED;
	note_choice(e, flow);
}

void counting_failed(struct engine *e, struct flow *flow,
		     enum backend_failure kind)
{
	struct backend_counters *c = &engine_backend(e, flow)->counters;

	if (flow->flags & FLOW_FAILED)
		return;
	flow->flags |= FLOW_FAILED;
	c->failed++;
	c->failed_by[kind]++;
}

/* ------------------------------------------------------------- its answer */

/* As a note has it: 0 is taken. */
static uint32_t whole_us(uint64_t ns)
{
	const uint64_t us = ns / NS_PER_US;

	if (us > UINT32_MAX)
		return UINT32_MAX;
	return us ? (uint32_t)us : 1;
}

void counting_answered(struct engine *e, struct flow *flow, uint64_t now_ns)
{
	struct flow_note *note = flow_note(&e->table, flow);

	engine_backend(e, flow)->counters.answered++;
	decide_request(e, flow, true);
	note->handshake_us = whole_us(now_ns - flow->opened_ns);
	flow->flags |= FLOW_UNSERVED;
}

void counting_served(struct engine *e, struct flow *flow, uint64_t now_ns)
{
	struct flow_note *note = flow_note(&e->table, flow);
	const uint64_t answered_ns =
		flow->opened_ns + note->handshake_us * NS_PER_US;
	const uint64_t took_ns =
		now_ns > answered_ns ? now_ns - answered_ns : 0;

	flow->flags &= (uint8_t)~FLOW_UNSERVED;
	note->first_byte_us = whole_us(took_ns);
	histogram_add(&engine_backend(e, flow)->counters.first_byte, took_ns);
}

void counting_repeated(struct engine *e, const struct flow *flow,
		       enum flow_side side)
{
	struct flow_note *note = flow_note(&e->table, flow);

	if (note->retransmits[side] < UINT16_MAX)
		note->retransmits[side]++;
	engine_backend(e, flow)->counters.retransmits[side]++;
}

/* --------------------------------------------------------------- its end */

static enum backend_failure failure_of(enum flow_end end)
{
	if (end == FLOW_END_REFUSED)
		return FAILURE_REFUSED;
	if (end == FLOW_END_SYN_TIMEOUT)
		return FAILURE_TIMEOUT;
	if (end == FLOW_END_UNREACHABLE)
		return FAILURE_UNREACHABLE;
	return FAILURE_ABANDONED;
}

void counting_ended(struct engine *e, struct flow *flow, enum tcp_state was,
		    enum flow_end end)
{
	assert(end > FLOW_END_NONE && end < FLOW_ENDS);
	if (was == TCP_SYN_SENT) {
		counting_failed(e, flow, failure_of(end));
		decide_request(e, flow, false);
	}
	engine_backend(e, flow)->counters.ends[end]++;
	flow_note(&e->table, flow)->end = (uint8_t)end;
	engine_notify(e, FLOW_ENDED, flow);
}

void counting_revived(struct engine *e, const struct flow *flow)
{
	struct flow_note *note = flow_note(&e->table, flow);

	engine_backend(e, flow)->counters.revived++;
	note->end = FLOW_END_NONE;
	note->flags |= NOTE_REVIVED;
	engine_notify(e, FLOW_REVIVED, flow);
}
