/* SPDX-License-Identifier: MIT */
/* change.c - services and backends that come, change and go: see change.h */
#include <errno.h>
#include <string.h>

#include "core/change.h"
#include "core/drain.h"
#include "core/health/active.h"
#include "core/health/cut_off.h"
#include "core/health/evidence.h"
#include "core/health/half_open.h"
#include "core/lifecycle.h"
#include "core/say.h"
#include "core/sched/choose.h"
#include "core/slots.h"
#include "core/state.h"

enum slot engine_service_slot(const struct engine *e, unsigned service)
{
	return service < e->n_services ? e->services[service].slot : SLOT_FREE;
}

enum slot engine_backend_slot(const struct engine *e, unsigned service,
			      unsigned backend)
{
	if (engine_service_slot(e, service) == SLOT_FREE ||
	    backend >= e->services[service].n_backends)
		return SLOT_FREE;
	return e->services[service].backends[backend].slot;
}

/* ---------------------------------------------------------------- prepare */

int engine_prepare_service(struct engine *e, unsigned service,
			   const struct service_spec *spec, uint64_t now_ns,
			   struct err *err)
{
	(void)now_ns;
	if (service >= e->services_max)
		return err_set(err, -EINVAL, "%u services are the most",
			       e->services_max);
	if (e->services[service].slot != SLOT_FREE)
		return err_set(err, -EBUSY, "the place of service %u is in use",
			       service);
	if (slots_fill_service(e, service, spec))
		return err_set(err, -ENOMEM, "not enough memory for a service");
	return 0;
}

int engine_prepare_backend(struct engine *e, unsigned service, unsigned backend,
			   const struct backend_spec *spec, uint64_t now_ns,
			   struct err *err)
{
	const enum slot slot = engine_service_slot(e, service);
	int ret;

	if (slot == SLOT_FREE || backend >= SERVICE_BACKENDS_MAX)
		return err_set(err, -EINVAL,
			       "there is no place %u in service %u", backend,
			       service);
	if (spec->n_sources == 0 || spec->n_sources > SERVICE_SOURCES_MAX)
		return err_set(err, -EINVAL,
			       "a backend has from 1 to %d source addresses",
			       SERVICE_SOURCES_MAX);
	if (slot == SLOT_LEAVING)
		return err_set(err, -EBUSY, "the service is being removed");
	if (e->services[service].backends[backend].slot != SLOT_FREE)
		return err_set(err, -EBUSY, "the place of backend %u is in use",
			       backend);
	ret = slots_fill_backend(e, service, backend, spec, now_ns);
	if (ret == -ENOSPC)
		return err_set(err, ret,
			       "%u pairs of a source address and a backend are "
			       "the most",
			       e->pools_max);
	return ret ? err_set(err, ret, "not enough memory for a backend") : 0;
}

void engine_undo_backend(struct engine *e, unsigned service, unsigned backend)
{
	assert(engine_backend_slot(e, service, backend) == SLOT_PREPARED);
	slots_empty_backend(e, service, backend);
}

void engine_undo_service(struct engine *e, unsigned service)
{
	struct service *s = &e->services[service];

	assert(s->slot == SLOT_PREPARED);
	while (s->n_backends > 0)
		engine_undo_backend(e, service, s->n_backends - 1);
	slots_empty_service(e, service);
}

/* ----------------------------------------------------------------- commit */

/* What the scheduler knows of each backend takes a look at all of them. */
static void members_changed(const struct engine *e, struct service *s)
{
	if (e->gathers)
		s->changed = true;
	else
		sched_changed(s);
}

void engine_begin_changes(struct engine *e)
{
	e->gathers = true;
}

void engine_end_changes(struct engine *e)
{
	e->gathers = false;
	for (unsigned i = 0; i < e->n_services; i++) {
		struct service *s = &e->services[i];

		if (s->changed)
			sched_changed(s);
		s->changed = false;
	}
}

void engine_enter_service(struct engine *e, unsigned service, uint64_t now_ns)
{
	slots_enter_service(&e->services[service], now_ns);
}

static bool any_takes_flows(const struct service *s)
{
	for (unsigned i = 0; i < s->n_backends; i++)
		if (backend_takes_flows(&s->backends[i]))
			return true;
	return false;
}

/* Without checks nothing could prove it; without others clients cannot wait. */
static bool needs_no_proof(const struct service *s, uint64_t now_ns)
{
	return !s->params.checked || s->entered_ns == now_ns ||
	       !any_takes_flows(s);
}

void engine_enter_backend(struct engine *e, unsigned service, unsigned backend,
			  uint64_t now_ns)
{
	struct service *s = &e->services[service];

	assert(s->slot == SLOT_LIVE);
	slots_enter_backend(e, &s->backends[backend], needs_no_proof(s, now_ns),
			    now_ns);
	members_changed(e, s);
}

/* Begins checks, or begins them anew by other parameters, or ends them. */
static void settle_checks(struct engine *e, struct backend *b, bool began,
			  uint64_t now_ns)
{
	const struct service *s = &e->services[b->service];
	const uint32_t number = b->health.number;

	half_open_over(b);
	if (!s->params.checked) {
		/* Nothing could find it up again. */
		backend_set_up(b, true, now_ns);
		backend_set_proven(b, true, now_ns);
		b->health = (struct health){.number = number};
	} else if (began) {
		health_init(&b->health, &s->params.health, now_ns, &e->random);
		b->health.number = number;
	} else {
		health_renew(&b->health, &s->params.health, now_ns, &e->random);
	}
}

static void settle_backend(struct engine *e, struct backend *b,
			   const struct service_params *was, uint64_t now_ns)
{
	const struct service_params *is = &e->services[b->service].params;
	const struct breaker_params breaker = slots_breaker(is);

	breaker_adjust(&b->breaker, &breaker, now_ns);
	if (was->checked != is->checked ||
	    memcmp(&was->check, &is->check, sizeof(is->check)) != 0 ||
	    memcmp(&was->health, &is->health, sizeof(is->health)) != 0)
		settle_checks(e, b, !was->checked, now_ns);
	engine_settle_drain(e, b, false, now_ns);
	if (was->keep_on_down && engine_sweeps_down(e, b))
		engine_start_sweep(e, b);
}

void engine_set_service(struct engine *e, unsigned service,
			const struct service_params *params, uint64_t now_ns)
{
	struct service *s = &e->services[service];
	const struct service_params was = s->params;

	assert(s->slot == SLOT_LIVE);
	slots_set_params(e, s, params);
	slots_room_for_syns(e);
	for (unsigned i = 0; i < s->n_backends; i++)
		if (s->backends[i].slot != SLOT_FREE)
			settle_backend(e, &s->backends[i], &was, now_ns);
	members_changed(e, s);
	e->checks_due_ns = 0;
}

/* A drain that is asked for again, with the same words, goes on as it is. */
static bool is_same_wish(const struct backend_params *a,
			 const struct backend_params *b)
{
	return a->admin == b->admin && !a->weight == !b->weight &&
	       a->drain_s == b->drain_s && a->then == b->then;
}

static bool may_take_flows(const struct backend_params *p)
{
	return p->admin == ADMIN_ENABLED && p->weight > 0;
}

/* Whoever comes back takes the way of a recovery, or of a newcomer. */
static void come_back(struct engine *e, struct backend *b,
		      const struct backend_params *was, uint64_t now_ns)
{
	const struct service *s = &e->services[b->service];

	breaker_reset(&b->breaker, now_ns);
	if (!s->params.checked)
		return;
	if (was->admin == ADMIN_DISABLED) {
		settle_checks(e, b, false, now_ns);
		backend_set_proven(b, false, now_ns);
		backend_set_proven(b, !any_takes_flows(s), now_ns);
	}
	health_ramp(&b->health, now_ns);
}

void engine_set_backend(struct engine *e, unsigned service, unsigned backend,
			const struct backend_params *params, uint64_t now_ns)
{
	struct service *s = &e->services[service];
	struct backend *b = &s->backends[backend];
	const struct backend_params was = b->params;

	assert(b->slot == SLOT_LIVE);
	b->params = *params;
	if (!may_take_flows(&was) && may_take_flows(params))
		come_back(e, b, &was, now_ns);
	if (params->admin == ADMIN_DISABLED && was.admin != ADMIN_DISABLED) {
		b->health.probing = false;
		half_open_over(b);
		engine_forget_silence(e, b);
	}
	if (was.admin == ADMIN_DISABLED && params->admin == ADMIN_DRAIN &&
	    s->params.checked)
		settle_checks(e, b, false, now_ns);
	engine_settle_drain(e, b, !is_same_wish(&was, params), now_ns);
	engine_prove_last(s, now_ns);
	members_changed(e, s);
}

void engine_set_timeouts(struct engine *e,
			 const struct engine_timeouts *timeouts,
			 uint64_t now_ns)
{
	(void)now_ns;
	e->timeouts = *timeouts;
	e->retime_left = e->table.size; /* one round of the table from here */
}

void engine_leave_backend(struct engine *e, unsigned service, unsigned backend,
			  enum leave then, uint64_t now_ns)
{
	struct service *s = &e->services[service];

	assert(s->backends[backend].slot == SLOT_LIVE);
	slots_leave_backend(e, &s->backends[backend], then, now_ns);
	engine_prove_last(s, now_ns);
	members_changed(e, s);
}

void engine_leave_service(struct engine *e, unsigned service, enum leave then,
			  uint64_t now_ns)
{
	struct service *s = &e->services[service];

	assert(s->slot == SLOT_LIVE);
	for (unsigned i = 0; i < s->n_backends; i++)
		if (s->backends[i].slot == SLOT_PREPARED)
			engine_undo_backend(e, service, i);
	s->slot = SLOT_LEAVING;
	s->params.drop_all_down = false;
	e->leaving++;
	for (unsigned i = 0; i < s->n_backends; i++)
		if (s->backends[i].slot == SLOT_LIVE)
			slots_leave_backend(e, &s->backends[i], then, now_ns);
	members_changed(e, s);
}

/* ----------------------------------------------------------------- finish */

bool engine_next_left(const struct engine *e, uint64_t now_ns,
		      unsigned *service, int *backend)
{
	for (unsigned i = 0; e->leaving && i < e->n_services; i++) {
		const struct service *s = &e->services[i];

		*service = i;
		for (unsigned k = 0; k < s->n_backends; k++) {
			const struct backend *b = &s->backends[k];

			*backend = (int)k;
			if (b->slot == SLOT_LEAVING && b->refs == 0 &&
			    b->tried == 0 && now_ns >= b->free_from_ns)
				return true;
		}
		*backend = -1;
		if (s->slot == SLOT_LEAVING && s->n_backends == 0)
			return true;
	}
	return false;
}

void engine_free_backend(struct engine *e, unsigned service, unsigned backend)
{
	assert(engine_backend_slot(e, service, backend) == SLOT_LEAVING);
	slots_empty_backend(e, service, backend);
}

void engine_free_service(struct engine *e, unsigned service)
{
	assert(e->services[service].slot == SLOT_LEAVING);
	slots_empty_service(e, service);
}

bool engine_kill_flow(struct engine *e, uint32_t index, uint64_t id,
		      uint64_t now_ns)
{
	struct flow *flow = &e->table.flows[index];

	if (index >= e->table.size || !flow->open || flow->id != id ||
	    tcp_is_closed(flow->tcp.state) ||
	    !engine_has_room(e, ENGINE_OUTBOX_MAX))
		return false;
	engine_reset_flow(e, flow, FLOW_END_KILLED, now_ns);
	return true;
}
