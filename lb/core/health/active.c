/* SPDX-License-Identifier: MIT */
/*
 * active.c - which backends are up: when checks start, and what their results
 * mean, both of the engine's half-open checks and of probes by sockets
 *
 * A backend that comes while others take flows takes none until a check has
 * passed: so one that is dead, or not started yet, costs no client anything.
 */
#include "core/drain.h"
#include "core/health/active.h"
#include "core/health/cut_off.h"
#include "core/health/evidence.h"
#include "core/health/half_open.h"
#include "core/sched/choose.h"
#include "core/state.h"

void engine_prove_last(struct service *s, uint64_t now_ns)
{
	for (unsigned i = 0; i < s->n_backends; i++)
		if (backend_takes_flows(&s->backends[i]))
			return;
	for (unsigned i = 0; i < s->n_backends; i++)
		backend_set_proven(&s->backends[i], true, now_ns);
	sched_changed(s);
}

/* A newcomer has passed a check. */
static void prove(struct engine *e, struct backend *b, uint64_t now_ns)
{
	backend_set_proven(b, true, now_ns);
	health_ramp(&b->health, now_ns);
	sched_changed(&e->services[b->service]);
	engine_tell(e, BACKEND_PROVEN, b, CHECK_OK);
}

static void changed(struct engine *e, struct backend *b,
		    enum health_change change, uint64_t now_ns)
{
	if (engine_fails_checks(e, b))
		breaker_check_failed(&b->breaker);
	switch (change) {
	case HEALTH_SAME: break;
	case HEALTH_WENT_DOWN:
		backend_set_up(b, false, now_ns);
		/* A backend that refuses has a live kernel, which resets the
		 * connections of a process that died. If the process only
		 * stopped listening, its other connections may go on.
		 */
		if (engine_sweeps_down(e, b))
			engine_start_sweep(e, b);
		engine_prove_last(&e->services[b->service], now_ns);
		engine_tell(e, BACKEND_DOWN, b, b->health.last);
		break;
	case HEALTH_FELL_SILENT:
		if (engine_sweeps_down(e, b))
			engine_start_sweep(e, b);
		engine_tell(e, BACKEND_DOWN, b, b->health.last);
		break;
	case HEALTH_WENT_UP:
		backend_set_up(b, true, now_ns);
		b->proven = true;
		b->sweep &= b->drained; /* its remaining flows may go on */
		breaker_reset(&b->breaker, now_ns);
		engine_tell(e, BACKEND_UP, b, CHECK_OK);
		break;
	}
}

static bool queue_probe(struct engine *e, const struct backend *b)
{
	if (e->probes_used == ENGINE_PROBES_MAX)
		return false;
	e->probes[(e->probes_head + e->probes_used++) % ENGINE_PROBES_MAX] =
		(struct asked_probe){.service = (uint16_t)b->service,
				     .backend = (uint16_t)b->index,
				     .number = b->health.number};
	return true;
}

unsigned engine_count_probed(const struct engine *e)
{
	unsigned n = 0;

	for (unsigned i = 0; i < e->n_services; i++) {
		const struct service *s = &e->services[i];

		if (s->params.check.kind == CHECK_SYN)
			continue;
		for (unsigned k = 0; k < s->n_backends; k++)
			n += backend_is_checked(s, &s->backends[k]);
	}
	return n;
}

/* Neither its backend nor how to check it has changed meanwhile. */
static bool is_wanted(const struct engine *e, const struct asked_probe *p)
{
	const struct service *s = &e->services[p->service];
	const struct backend *b = &s->backends[p->backend];

	return backend_is_checked(s, b) && b->health.probing &&
	       b->health.number == p->number;
}

static struct probe_request request_of(const struct engine *e,
				       const struct asked_probe *p)
{
	const struct service *s = &e->services[p->service];
	const struct backend *b = &s->backends[p->backend];

	return (struct probe_request){
		.service = p->service,
		.backend = p->backend,
		.number = p->number,
		.timeout_ms = b->health.params.timeout_ms,
		.check = s->params.check,
		.to = b->addr,
		.source = e->pools[b->pools[0]].source,
	};
}

bool engine_next_probe(struct engine *e, struct probe_request *out)
{
	while (e->probes_used > 0) {
		const struct asked_probe *p = &e->probes[e->probes_head];

		e->probes_head = (e->probes_head + 1) % ENGINE_PROBES_MAX;
		e->probes_used--;
		if (!is_wanted(e, p))
			continue;
		*out = request_of(e, p);
		return true;
	}
	return false;
}

/*
 * The backend itself did not answer a check. True: the check has failed. False:
 * the silence is @ours, or not decided yet.
 */
static bool has_failed(struct engine *e, struct backend *b, bool *ours,
		       uint64_t now_ns)
{
	const enum silence silence =
		engine_silence(e, b, b->health.started_ns, now_ns);

	*ours = silence == SILENCE_OURS;
	if (silence == SILENCE_UNSURE)
		health_unsure(&b->health, now_ns);
	return silence == SILENCE_OWN;
}

/* Not for the one that had the slot before. */
static bool is_valid(const struct engine *e, const struct backend *b,
		     uint32_t number)
{
	return backend_is_checked(&e->services[b->service], b) &&
	       (int32_t)(number - b->checks_from_nr) > 0;
}

/* A late check may not be the backend's fault: drops it and repeats it soon. */
static void let_go(struct backend *b, uint64_t now_ns)
{
	half_open_over(b);
	health_result(&b->health, b->health.number, CHECK_LOCAL, now_ns);
	health_hurry(&b->health, now_ns);
}

/* The running check has this result, and it counts. */
static void count_check(struct backend *b, enum check_result result,
			uint64_t now_ns)
{
	b->counters.checks_ok += result == CHECK_OK;
	b->counters.checks_failed += result != CHECK_OK;
	b->counters.last_check_ns = now_ns - b->health.started_ns;
}

void engine_probe_result(struct engine *e, unsigned service, unsigned backend,
			 uint32_t number, enum check_result result,
			 uint64_t now_ns)
{
	struct backend *b = &e->services[service].backends[backend];
	bool ours = false, runs;

	if (!is_valid(e, b, number))
		return;
	e->checks_due_ns = 0;
	switch (result) {
	case CHECK_OK:
	case CHECK_REFUSED:
	case CHECK_CLOSED:
	case CHECK_WRONG_STATUS:
	case CHECK_WRONG_ANSWER:
		b->excused_ns = 0;
		b->answered_ns = now_ns;
		engine_probed(e, b, now_ns);
		break;
	case CHECK_TIMEOUT:
	case CHECK_UNREACHABLE:
		if (!b->health.probing || number != b->health.number)
			return;
		if (!has_failed(e, b, &ours, now_ns)) {
			if (ours)
				let_go(b, now_ns);
			return;
		}
		break;
	case CHECK_LOCAL:
	case CHECK_RESULTS: break;
	}
	runs = b->health.probing && number == b->health.number;
	if (runs)
		half_open_over(b);
	if (runs && result != CHECK_LOCAL)
		count_check(b, result, now_ns);
	changed(e, b, health_result(&b->health, number, result, now_ns),
		now_ns);
	if (runs && result == CHECK_OK && b->up && !b->proven)
		prove(e, b, now_ns);
}

bool engine_check_answer(struct engine *e, const struct packet *p,
			 uint64_t now_ns)
{
	enum check_result result;
	struct backend *b;

	if (!half_open_answer(e, p, &b, &result, now_ns))
		return false;
	if (b)
		engine_probe_result(e, b->service, b->index, b->health.number,
				    result, now_ns);
	return true;
}

/* The running check has timed out. True: it does not count as failed. */
static bool excused(struct engine *e, struct backend *b, uint64_t now_ns)
{
	const bool half_open =
		e->services[b->service].params.check.kind == CHECK_SYN;
	bool ours = true;

	if (!(half_open &&
	      engine_excuses(e, b, b->health.started_ns, now_ns)) &&
	    has_failed(e, b, &ours, now_ns))
		return false;
	if (ours)
		let_go(b, now_ns);
	return true;
}

static void run_check(struct engine *e, struct backend *b, uint64_t heard_ns,
		      uint64_t now_ns)
{
	const bool half_open =
		e->services[b->service].params.check.kind == CHECK_SYN;
	struct health *h = &b->health;
	bool start = false, asked;

	if (health_next_ns(h) > (h->probing ? heard_ns : now_ns))
		return;
	if (h->probing && excused(e, b, now_ns) && h->probing)
		return; /* the check goes on for a moment */
	if (h->probing)
		count_check(b, CHECK_TIMEOUT, now_ns);
	changed(e, b, health_tick(h, now_ns, &e->random, &start), now_ns);
	if (start || !h->probing)
		half_open_over(b);
	if (!start)
		return;
	engine_asks(e, b, now_ns);
	asked = addr_is_set(&e->pools[b->pools[0]].source) &&
		(half_open ? half_open_start(e, b, b->pools[0])
			   : queue_probe(e, b));
	if (!asked) /* the queue is full, or no route yet: retry */
		health_unasked(h, now_ns);
}

uint64_t engine_run_checks(struct engine *e, uint64_t heard_ns, uint64_t now_ns)
{
	uint64_t next_ns = WHEEL_IDLE;

	if (now_ns < e->checks_due_ns)
		return e->checks_due_ns;
	e->checks_due_ns = WHEEL_IDLE;
	/* Another service is first each time: one must not take all ports. */
	if (++e->checks_from >= e->n_services)
		e->checks_from = 0;
	for (unsigned i = 0; i < e->n_services; i++) {
		struct service *s =
			&e->services[(e->checks_from + i) % e->n_services];

		for (unsigned k = 0; k < s->n_backends; k++) {
			struct backend *b = &s->backends[k];

			if (b->drain_until_ns)
				engine_run_drain(e, b, now_ns);
			if (b->drain_until_ns && b->drain_until_ns < next_ns)
				next_ns = b->drain_until_ns;
			if (!backend_is_checked(s, b))
				continue;
			run_check(e, b, heard_ns, now_ns);
			if (health_next_ns(&b->health) < next_ns)
				next_ns = health_next_ns(&b->health);
		}
	}
	/* A check became due earlier after this loop had passed its backend. */
	if (e->checks_due_ns == 0)
		return now_ns;
	e->checks_due_ns = next_ns;
	return next_ns;
}
