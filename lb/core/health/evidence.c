/* SPDX-License-Identifier: MIT */
/* evidence.c - what real connections show about a backend */
#include "core/health/cut_off.h"
#include "core/health/evidence.h"
#include "core/state.h"

void engine_start_sweep(struct engine *e, struct backend *b)
{
	b->sweep = true;
	e->sweep_left = e->table.size; /* one round of the table from here */
}

bool engine_sweeps_down(const struct engine *e, const struct backend *b)
{
	const struct service *s = &e->services[b->service];

	return backend_is_checked(s, b) && !b->up && !b->health.refusing &&
	       !s->params.keep_on_down;
}

static bool another_takes_flows(const struct service *s,
				const struct backend *b, uint64_t now_ns)
{
	for (unsigned i = 0; i < s->n_backends; i++)
		if (&s->backends[i] != b &&
		    backend_takes_flows(&s->backends[i]) &&
		    breaker_allows(&s->backends[i].breaker, now_ns))
			return true;
	return false;
}

bool engine_excuses(struct engine *e, struct backend *b, uint64_t sent_ns,
		    uint64_t now_ns)
{
	if (!hearing_excuses(&e->hearing, sent_ns, &b->excused_ns, now_ns))
		return false;
	e->counters.unheard++;
	return true;
}

void engine_backend_answered(struct engine *e, struct backend *b,
			     uint32_t ticket, uint64_t now_ns)
{
	b->excused_ns = 0;
	b->answered_ns = now_ns;
	engine_heard_from(e, b, now_ns);
	if (breaker_success(&b->breaker, ticket, now_ns) == BREAKER_RECOVERED)
		engine_tell(e, BACKEND_RECOVERED, b, CHECK_OK);
}

void engine_suspect(struct engine *e, struct backend *b, uint64_t now_ns)
{
	if (!backend_is_checked(&e->services[b->service], b))
		return;
	health_suspect(&b->health, now_ns);
	e->checks_due_ns = 0;
}

void engine_backend_failed(struct engine *e, struct backend *b, uint32_t ticket,
			   const struct ip_addr *client, enum check_result why,
			   uint64_t now_ns)
{
	bool may_open =
		another_takes_flows(&e->services[b->service], b, now_ns);

	engine_suspect(e, b, now_ns);
	if (breaker_failure(&b->breaker, ticket, client,
			    engine_fails_checks(e, b), may_open,
			    now_ns) == BREAKER_OPENED)
		engine_tell(e, BACKEND_EJECTED, b, why);
}
