/* SPDX-License-Identifier: MIT */
/*
 * slots.c - fills and empties the slots of services and backends
 *
 * A slot keeps its number and its address in memory whoever is in it, since
 * flows name both by number. It becomes free only when no flow and no kept SYN
 * names it. Late results of checks, and of handshakes, name it by a number that
 * goes on from the one before.
 */
#include <errno.h>
#include <stdlib.h>

#include "core/drain.h"
#include "core/health/cut_off.h"
#include "core/health/half_open.h"
#include "core/pools.h"
#include "core/sched/choose.h"
#include "core/slots.h"
#include "core/state.h"

#define HALF_OPEN_MIN 1024  /* a burst of honest clients */
#define KEPT_MAX      65536 /* SYNs kept at once */
#define FREE_AFTER_S  1	    /* beyond the last answer to a handshake */

static void let_pools_go(struct engine *e, struct backend *b)
{
	for (unsigned i = 0; i < b->n_sources; i++)
		pools_let_go(e, b->pools[i]);
	if (b->alternates)
		pools_let_go(e, b->alternate);
	b->n_sources = 0;
	b->alternates = b->has_alternate = false;
}

static int take_pools(struct engine *e, struct backend *b,
		      const struct backend_spec *spec)
{
	int pool = 0;

	while (b->n_sources < spec->n_sources && pool >= 0) {
		pool = pools_take(e, &spec->sources[b->n_sources], &spec->addr,
				  false);
		if (pool >= 0)
			b->pools[b->n_sources++] = (uint16_t)pool;
	}
	if (pool >= 0 && addr_is_set(&spec->alternate) && !spec->gone) {
		pool = pools_take(e, &spec->alternate, &spec->addr, true);
		b->has_alternate = b->alternates = pool >= 0;
		b->alternate = (uint16_t)pool;
	}
	if (pool < 0)
		let_pools_go(e, b);
	return pool < 0 ? pool : 0;
}

struct breaker_params slots_breaker(const struct service_params *params)
{
	struct breaker_params breaker = params->breaker;

	if (breaker.trials == 0)
		breaker.trials = 1;
	return breaker;
}

/* The limit of a service for which none is configured. */
static uint32_t half_open_default(const struct engine *e)
{
	const uint32_t limit = e->table.size / 8;

	return limit < HALF_OPEN_MIN ? HALF_OPEN_MIN : limit;
}

void slots_set_params(struct engine *e, struct service *s,
		      const struct service_params *params)
{
	s->params = *params;
	if (s->params.retries > HANDSHAKE_RETRIES_MAX)
		s->params.retries = HANDSHAKE_RETRIES_MAX;
	s->half_open_limit = params->half_open_max ? params->half_open_max
						   : half_open_default(e);
}

/* ---------------------------------------------------------------- to fill */

int slots_room_for_syns(struct engine *e)
{
	uint64_t all = 0;

	for (unsigned i = 0; i < e->n_services; i++)
		all += e->services[i].half_open_limit;
	if (all > e->table.size)
		all = e->table.size;
	return pending_grow(&e->pending,
			    all > KEPT_MAX ? KEPT_MAX : (uint32_t)all);
}

/*
 * Pages that no slot needs are never touched, so this does not clear them. The
 * counters of a backend begin a cache line.
 */
static bool make_backends(struct service *s)
{
	const size_t align = _Alignof(struct backend);
	uintptr_t at;

	s->memory = calloc(1, SERVICE_BACKENDS_MAX * sizeof(struct backend) +
				      align);
	at = (uintptr_t)s->memory;
	s->backends = (struct backend *)((at + align - 1) / align * align);
	return s->memory;
}

int slots_fill_service(struct engine *e, unsigned service,
		       const struct service_spec *spec)
{
	struct service *s = &e->services[service];

	assert(s->slot == SLOT_FREE);
	if (!s->memory && !make_backends(s))
		return -ENOMEM;
	*s = (struct service){.listen = spec->listen,
			      .slot = SLOT_PREPARED,
			      .backends = s->backends,
			      .memory = s->memory};
	slots_set_params(e, s, &spec->params);
	if (e->n_services <= service)
		e->n_services = service + 1;
	if (sched_init(s, e->table.secret, sizeof(e->table.secret), service) ||
	    slots_room_for_syns(e)) {
		slots_empty_service(e, service);
		return -ENOMEM;
	}
	return 0;
}

int slots_fill_backend(struct engine *e, unsigned service, unsigned backend,
		       const struct backend_spec *spec, uint64_t now_ns)
{
	struct service *s = &e->services[service];
	struct backend *b = &s->backends[backend];
	const struct breaker_params breaker = slots_breaker(&s->params);
	const uint32_t ticket = b->breaker.ticket, number = b->health.number;
	int ret;

	assert(b->slot == SLOT_FREE);
	*b = (struct backend){.addr = spec->addr,
			      .index = backend,
			      .service = service,
			      .slot = SLOT_PREPARED,
			      .up = true,
			      .params = spec->params,
			      .routed = spec->routed};
	breaker_init(&b->breaker, &breaker, now_ns);
	b->breaker.ticket = (ticket + 1) % BREAKER_TICKETS;
	if (s->params.checked)
		health_init(&b->health, &s->params.health, now_ns, &e->random);
	b->health.number = b->checks_from_nr = number;
	ret = take_pools(e, b, spec);
	if (ret) {
		b->slot = SLOT_FREE;
		return ret;
	}
	if (s->n_backends <= backend)
		s->n_backends = backend + 1;
	return 0;
}

/* --------------------------------------------------------------- to empty */

void slots_empty_backend(struct engine *e, unsigned service, unsigned backend)
{
	struct service *s = &e->services[service];
	struct backend *b = &s->backends[backend];
	const uint32_t ticket = b->breaker.ticket, number = b->health.number;

	assert(b->refs == 0);
	assert(b->tried == 0);
	let_pools_go(e, b);
	e->left_totals += b->counters.total;
	s->left_answered += b->counters.answered;
	e->leaving -= b->slot == SLOT_LEAVING;
	*b = (struct backend){.index = backend,
			      .service = service,
			      .breaker.ticket = ticket,
			      .health.number = number};
	while (s->n_backends > 0 &&
	       s->backends[s->n_backends - 1].slot == SLOT_FREE)
		s->n_backends--;
}

void slots_empty_service(struct engine *e, unsigned service)
{
	struct service *s = &e->services[service];

	assert(s->n_backends == 0);
	e->leaving -= s->slot == SLOT_LEAVING;
	sched_free(s);
	*s = (struct service){.backends = s->backends, .memory = s->memory};
	while (e->n_services > 0 &&
	       e->services[e->n_services - 1].slot == SLOT_FREE)
		e->n_services--;
}

/* ----------------------------------------------------------- life between */

void slots_enter_service(struct service *s, uint64_t now_ns)
{
	assert(s->slot == SLOT_PREPARED);
	s->slot = SLOT_LIVE;
	s->entered_ns = now_ns;
}

void slots_enter_backend(struct engine *e, struct backend *b, bool proven,
			 uint64_t now_ns)
{
	assert(b->slot == SLOT_PREPARED);
	b->slot = SLOT_LIVE;
	b->proven = proven;
	b->since_ns = now_ns;
	engine_settle_drain(e, b, true, now_ns);
}

/*
 * What was sent to it before may be answered as long as a handshake lasts, and
 * what we said may wait in the outbox for a moment.
 */
void slots_leave_backend(struct engine *e, struct backend *b, enum leave then,
			 uint64_t now_ns)
{
	b->slot = SLOT_LEAVING;
	b->params.then = then;
	b->free_from_ns =
		now_ns + (e->timeouts.syn_sent + FREE_AFTER_S) * NS_PER_S;
	b->health.probing = false;
	half_open_over(b);
	engine_forget_silence(e, b);
	e->leaving++;
	engine_settle_drain(e, b, true, now_ns);
}
