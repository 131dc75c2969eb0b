/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "app.h"
#include "change_commit.h"
#include "clock.h"
#include "core/change.h"
#include "packets.h"

/* One of both configurations, which have the same slots. */
struct pair {
	const struct service_config *was, *is; /* NULL: none had the slot */
};

static struct pair services(const struct config *was, const struct config *is,
			    unsigned i)
{
	return (struct pair){
		i < was->n_services ? &was->services[i] : NULL,
		i < is->n_services ? &is->services[i] : NULL,
	};
}

static enum slot service_slot(const struct service_config *s)
{
	return s ? s->slot : SLOT_FREE;
}

static enum slot backend_slot(const struct service_config *s, unsigned k)
{
	return s && k < s->n_backends ? s->backends[k].slot : SLOT_FREE;
}

static bool params_equal(const struct backend_params *a,
			 const struct backend_params *b)
{
	return a->weight == b->weight && a->backup == b->backup &&
	       a->admin == b->admin && a->drain_s == b->drain_s &&
	       a->then == b->then;
}

static void change_backend(struct app *app, unsigned i, unsigned k,
			   uint64_t now_ns)
{
	const struct backend_spec *b = plan_backend(app->plan, i, k);

	plan_change_backend(app->plan, &app->config, i, k);
	engine_set_backend(app->engine, i, k, &b->params, now_ns);
}

/* First those that leave: who enters then need not wait for a check. */
static void change_backends(struct app *app, const struct pair *s, unsigned i,
			    uint64_t now_ns)
{
	const unsigned n = s->is->n_backends > s->was->n_backends
				   ? s->is->n_backends
				   : s->was->n_backends;

	for (unsigned k = 0; k < n; k++) {
		const enum slot was = backend_slot(s->was, k);
		const enum slot is = backend_slot(s->is, k);

		if (was == SLOT_LIVE && is == SLOT_LEAVING)
			engine_leave_backend(app->engine, i, k,
					     s->is->backends[k].leaves, now_ns);
		else if (was == SLOT_LIVE && is == SLOT_LIVE &&
			 !params_equal(&s->was->backends[k].params,
				       &s->is->backends[k].params))
			change_backend(app, i, k, now_ns);
	}
	for (unsigned k = 0; k < n; k++)
		if (backend_slot(s->was, k) == SLOT_FREE &&
		    backend_slot(s->is, k) == SLOT_LIVE)
			engine_enter_backend(app->engine, i, k, now_ns);
}

static void enter_service(struct app *app, const struct service_config *is,
			  unsigned i, uint64_t now_ns)
{
	engine_enter_service(app->engine, i, now_ns);
	for (unsigned k = 0; k < is->n_backends; k++)
		if (backend_is_live(&is->backends[k]))
			engine_enter_backend(app->engine, i, k, now_ns);
	presence_service_came(app, i);
}

static void change_service(struct app *app, const struct pair *s, unsigned i,
			   uint64_t now_ns)
{
	const enum slot was = service_slot(s->was), is = service_slot(s->is);

	if (was == SLOT_FREE && is == SLOT_LIVE) {
		enter_service(app, s->is, i, now_ns);
	} else if (was == SLOT_LIVE && is == SLOT_LEAVING) {
		engine_leave_service(app->engine, i, s->is->leaves, now_ns);
	} else if (was == SLOT_LIVE && is == SLOT_LIVE) {
		if (memcmp(&s->was->params, &s->is->params,
			   sizeof(s->is->params)) != 0) {
			plan_change_service(app->plan, &app->config, i);
			engine_set_service(app->engine, i,
					   &app->plan->services[i].params,
					   now_ns);
		}
		change_backends(app, s, i, now_ns);
	}
}

static void change_rest(struct app *app, const struct config *was,
			uint64_t now_ns)
{
	const struct config *is = &app->config;

	if (memcmp(&was->timeouts, &is->timeouts, sizeof(is->timeouts)) != 0)
		engine_set_timeouts(app->engine, &is->timeouts, now_ns);
	forward_set_clamp(app->forward, is->mss_clamp);
}

void change_enter(struct app *app)
{
	struct config was = app->config;
	const uint64_t now_ns = clock_now_ns();
	unsigned n;

	/* Whatever the engine reports from here on has its name. */
	app->config = app->change.wanted;
	n = was.n_services > app->config.n_services ? was.n_services
						    : app->config.n_services;
	engine_begin_changes(app->engine);
	for (unsigned i = 0; i < n; i++) {
		const struct pair s = services(&was, &app->config, i);

		change_service(app, &s, i, now_ns);
	}
	engine_end_changes(app->engine);
	change_rest(app, &was, now_ns);
	config_free(&was);
	packets_follow_plan(app);
	reach_changed(app);
	departure_begins(app);
	if (app->change.lines.len) {
		app->change.generation++;
		publish_changed(app,
				app->change.base ? "reload" : app->change.by);
	}
	if (app->change.base) {
		overlay_base_free(&app->overlay.base);
		app->overlay.base = *app->change.base;
		*app->change.base = (struct overlay_base){.head.bytes = NULL};
	}
}
