/* SPDX-License-Identifier: MIT */
#include "app.h"
#include "clock.h"
#include "core/change.h"
#include "core/time.h"
#include "departure.h"
#include "log.h"
#include "overlay.h"
#include "packets.h"
#include "service_ports.h"
#include "sources.h"

#define LOOK_NS	     (100 * NS_PER_MS)
#define PARTS_A_TURN 16
#define TURN_NS	     NS_PER_MS

static bool anything_leaves(const struct config *c)
{
	for (unsigned i = 0; i < c->n_services; i++) {
		const struct service_config *s = &c->services[i];

		if (s->slot == SLOT_LEAVING)
			return true;
		for (unsigned k = 0; service_is_live(s) && k < s->n_backends;
		     k++)
			if (s->backends[k].slot == SLOT_LEAVING)
				return true;
	}
	return false;
}

static int free_backend(struct app *app, unsigned i, unsigned k)
{
	const struct endpoint addr = plan_backend(app->plan, i, k)->addr;
	struct service_config *s = &app->config.services[i];
	struct err ignored; /* the guard reports it, and tries again */
	char text[ENDPOINT_TEXT_MAX];
	int ret = sources_release(app, i, k);

	if (ret)
		return ret;
	(void)guard_watch_del(app->guard, GUARD_BACKENDS, &addr, &ignored);
	engine_free_backend(app->engine, i, k);
	plan_drop_backend(app->plan, i, k);
	log_info("backend %s of service %s is gone",
		 endpoint_format(&addr, text), s->name);
	config_free_backend(s, &s->backends[k]);
	return 0;
}

/*
 * The captures before the guard: the other way round the kernel would answer
 * what still comes. The port before both, as only that can wait; nobody is
 * behind it, and the guard is silent.
 */
static int free_service(struct app *app, unsigned i)
{
	struct service_config *s = &app->config.services[i];
	const struct endpoint listen = app->plan->services[i].listen;
	struct err ignored;
	int ret = service_port_give_back(app, i);

	if (ret)
		return ret;
	plan_drop_service(app->plan, i);
	packets_follow_plan(app);
	(void)guard_watch_del(app->guard, GUARD_SERVICES, &listen, &ignored);
	engine_free_service(app->engine, i);
	log_info("service %s is gone", s->name);
	config_free_service(&app->config, s);
	return 0;
}

/* False: there is none, or not now. */
static bool free_next(struct app *app, uint64_t now_ns)
{
	unsigned i;
	int k;

	if (!engine_next_left(app->engine, now_ns, &i, &k))
		return false;
	return (k >= 0 ? free_backend(app, i, (unsigned)k)
		       : free_service(app, i)) == 0;
}

void departure_begins(struct app *app)
{
	app->departure.look_ns = 0;
}

uint64_t departure_turn(struct app *app)
{
	struct departure *d = &app->departure;
	uint64_t begin_ns;
	unsigned n = 0;
	bool more;

	/* A change that is open has copied the places as they are. */
	if (app->change.phase != CHANGE_NONE || d->look_ns == UINT64_MAX)
		return UINT64_MAX;
	begin_ns = clock_now_ns();
	if (begin_ns < d->look_ns)
		return d->look_ns;
	while ((more = free_next(app, begin_ns)) && ++n < PARTS_A_TURN &&
	       clock_now_ns() - begin_ns < TURN_NS)
		;
	if (n)
		overlay_stale(app);
	if (more)
		return 0;
	d->look_ns =
		anything_leaves(&app->config) ? begin_ns + LOOK_NS : UINT64_MAX;
	return d->look_ns;
}
