/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "app.h"
#include "change_steps.h"
#include "clock.h"
#include "control/presence.h"
#include "core/change.h"
#include "log.h"
#include "overlay.h"
#include "service_ports.h"
#include "sources.h"

enum {
	CAN_CHECK,
	BIND, /* the service's port, and the record of it */
	GUARD_SERVICE,
	ENGINE_SERVICE,
	PLACE,	 /* the backend in the plan */
	SOURCES, /* our addresses toward it */
	GUARD_BACKEND,
	ENGINE_BACKEND,
	OVERLAY, /* so that the change outlives the process */
	KINDS
};

/* ------------------------------------------------------------------- a list */

static int add(struct change *c, unsigned kind, unsigned service,
	       unsigned backend)
{
	const unsigned n = c->n_steps;

	/* Doubled at each power of two. */
	if ((n & (n - 1)) == 0) {
		struct change_step *more =
			realloc(c->steps, (n ? 2 * n : 1) * sizeof(*more));

		if (!more)
			return -ENOMEM;
		c->steps = more;
	}
	c->steps[c->n_steps++] = (struct change_step){
		.kind = (uint8_t)kind,
		.service = (uint8_t)service,
		.backend = (uint16_t)backend,
	};
	return 0;
}

static int add_kinds(struct change *c, unsigned first, unsigned last,
		     unsigned service, unsigned backend)
{
	int ret = 0;

	for (unsigned kind = first; kind <= last && !ret; kind++)
		ret = add(c, kind, service, backend);
	return ret;
}

static bool is_new(enum slot was, enum slot is)
{
	return was == SLOT_FREE && is == SLOT_LIVE;
}

static int list_service(struct change *c, const struct config *running,
			unsigned i)
{
	const struct service_config *is = &c->wanted.services[i];
	const struct service_config *was =
		i < running->n_services ? &running->services[i] : NULL;
	int ret = 0;

	if (!service_is_live(is))
		return 0;
	if (is_new(was ? was->slot : SLOT_FREE, is->slot))
		ret = add_kinds(c, CAN_CHECK, ENGINE_SERVICE, i, 0);
	else if (was->params.check.kind != is->params.check.kind ||
		 was->params.checked != is->params.checked)
		ret = add(c, CAN_CHECK, i, 0);
	for (unsigned k = 0; k < is->n_backends && !ret; k++)
		if (is_new(was && k < was->n_backends ? was->backends[k].slot
						      : SLOT_FREE,
			   is->backends[k].slot))
			ret = add_kinds(c, PLACE, ENGINE_BACKEND, i, k);
	return ret;
}

int change_list_steps(struct change *c, const struct config *running)
{
	int ret = 0;

	for (unsigned i = 0; i < c->wanted.n_services && !ret; i++)
		ret = list_service(c, running, i);
	return ret ? ret : add(c, OVERLAY, 0, 0);
}

bool change_step_is_backend(const struct change_step *step)
{
	return step->kind == ENGINE_BACKEND;
}

/* ---------------------------------------------------------------- the steps */

/* Sockets make the checks tcp, http and expect, if the host has ports left. */
static int can_check(struct app *app, unsigned i, unsigned k, struct err *err)
{
	const struct service_params *p = &app->change.wanted.services[i].params;

	(void)k;
	if (!p->checked || p->check.kind == CHECK_SYN)
		return 0;
	return checker_can(app->checker, err);
}

static int bind_service(struct app *app, unsigned i, unsigned k,
			struct err *err)
{
	int ret = plan_set_service(app->plan, &app->change.wanted, i, err);

	(void)k;
	if (ret)
		return ret;
	ret = service_port_take(app, i, err);
	if (ret)
		plan_drop_service(app->plan, i);
	return ret;
}

static int unbind_service(struct app *app, unsigned i, unsigned k)
{
	const int ret = service_port_give_back(app, i);

	(void)k;
	if (!ret)
		plan_drop_service(app->plan, i);
	return ret;
}

static int guard_service(struct app *app, unsigned i, unsigned k,
			 struct err *err)
{
	(void)k;
	return guard_watch_add(app->guard, GUARD_SERVICES,
			       &app->plan->services[i].listen, err);
}

static int unguard_service(struct app *app, unsigned i, unsigned k)
{
	struct err ignored; /* it is tried again, see guard_watch.h */

	(void)k;
	(void)guard_watch_del(app->guard, GUARD_SERVICES,
			      &app->plan->services[i].listen, &ignored);
	return 0;
}

static int prepare_service(struct app *app, unsigned i, unsigned k,
			   struct err *err)
{
	(void)k;
	return engine_prepare_service(app->engine, i, &app->plan->services[i],
				      clock_now_ns(), err);
}

static int undo_service(struct app *app, unsigned i, unsigned k)
{
	(void)k;
	engine_undo_service(app->engine, i);
	return 0;
}

/* Asks for the route to the backend. */
static int place_backend(struct app *app, unsigned i, unsigned k,
			 struct err *err)
{
	(void)err;
	plan_set_backend(app->plan, &app->change.wanted, i, k, app->netlink);
	return 0;
}

static int take_sources(struct app *app, unsigned i, unsigned k,
			struct err *err)
{
	struct ip_addr source;
	int ret = 0;

	for (unsigned n = 0;
	     !ret && plan_needed_source(app->plan, i, k, n, &source); n++)
		ret = sources_hold(app, i, k, &source, err);
	return ret;
}

/* Also of those that only some were taken of. */
static int displace_backend(struct app *app, unsigned i, unsigned k)
{
	int ret = sources_release(app, i, k);

	if (!ret)
		plan_drop_backend(app->plan, i, k);
	return ret;
}

static int guard_backend(struct app *app, unsigned i, unsigned k,
			 struct err *err)
{
	return guard_watch_add(app->guard, GUARD_BACKENDS,
			       &plan_backend(app->plan, i, k)->addr, err);
}

static int unguard_backend(struct app *app, unsigned i, unsigned k)
{
	struct err ignored;

	(void)guard_watch_del(app->guard, GUARD_BACKENDS,
			      &plan_backend(app->plan, i, k)->addr, &ignored);
	return 0;
}

static int prepare_backend(struct app *app, unsigned i, unsigned k,
			   struct err *err)
{
	int ret = engine_prepare_backend(app->engine, i, k,
					 plan_backend(app->plan, i, k),
					 clock_now_ns(), err);
	struct ip_addr source;

	for (unsigned n = 0;
	     !ret && plan_needed_source(app->plan, i, k, n, &source); n++)
		presence_source_came(app, &source);
	return ret;
}

static int undo_backend(struct app *app, unsigned i, unsigned k)
{
	engine_undo_backend(app->engine, i, k);
	return 0;
}

static int write_overlay(struct app *app, unsigned i, unsigned k,
			 struct err *err)
{
	(void)i;
	(void)k;
	const struct change *c = &app->change;

	return overlay_write(app, c->base ? c->base : &app->overlay.base,
			     &c->wanted, err);
}

/* After this one nothing fails any more, but for the tests of the reverse. */
static int write_overlay_back(struct app *app, unsigned i, unsigned k)
{
	struct err ignored;

	(void)i;
	(void)k;
	(void)overlay_write(app, &app->overlay.base, &app->config, &ignored);
	return 0;
}

static const struct {
	int (*make)(struct app *app, unsigned service, unsigned backend,
		    struct err *err);
	int (*undo)(struct app *app, unsigned service, unsigned backend);
} kinds[KINDS] = {
	[CAN_CHECK] = {can_check, NULL},
	[BIND] = {bind_service, unbind_service},
	[GUARD_SERVICE] = {guard_service, unguard_service},
	[ENGINE_SERVICE] = {prepare_service, undo_service},
	[PLACE] = {place_backend, displace_backend},
	[SOURCES] = {take_sources, NULL},
	[GUARD_BACKEND] = {guard_backend, unguard_backend},
	[ENGINE_BACKEND] = {prepare_backend, undo_backend},
	[OVERLAY] = {write_overlay, write_overlay_back},
};

int change_make_step(struct app *app, const struct change_step *step,
		     struct err *err)
{
	return kinds[step->kind].make(app, step->service, step->backend, err);
}

int change_undo_step(struct app *app, const struct change_step *step)
{
	return kinds[step->kind].undo
		       ? kinds[step->kind].undo(app, step->service,
						step->backend)
		       : 0;
}
