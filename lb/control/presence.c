/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "app.h"
#include "clock.h"
#include "control/resolve.h"
#include "core/view.h"
#include "log.h"
#include "packets.h"
#include "services.h"
#include "sources.h"

#define ASKED_AT_ONCE 64
#define LOOKS_PER_S   10

/* A number for each place that a backend may have. */
#define PLACES (CONFIG_SERVICES_MAX * CONFIG_BACKENDS_MAX)

/* @new: the first look at it. */
static void look_at_service(struct app *app, unsigned i, bool new)
{
	const struct ip_addr *addr = &app->plan->services[i].listen.addr;
	const bool away = !resolve_is_local(addr, app->netlink);
	struct presence *p = &app->presence;
	char text[ADDR_TEXT_MAX];

	if (!new &&away == p->service_away[i])
		return;
	if (away)
		log_warn("service %s: address %s is not on this host%s; it is "
			 "served when it comes ('ip -brief address' lists "
			 "those that are there)",
			 app->config.services[i].name, addr_format(addr, text),
			 new ? " yet" : " any more");
	else if (!new)
		log_info("service %s: address %s is there, it is served",
			 app->config.services[i].name, addr_format(addr, text));
	p->service_away[i] = away;
	engine_set_service_away(app->engine, i, away);
}

static bool is_service(const struct plan *p, const struct ip_addr *addr)
{
	for (unsigned i = 0; i < p->n_services; i++)
		if (!p->services[i].unused &&
		    addr_equal(&p->services[i].listen.addr, addr))
			return true;
	return false;
}

static void look_at_source(struct app *app, unsigned i, bool new)
{
	const struct ip_addr *addr = &app->plan->sources[i].addr;
	const bool away = !resolve_is_local(addr, app->netlink);
	struct presence *p = &app->presence;
	char text[ADDR_TEXT_MAX];

	engine_set_source_away(app->engine, addr, away);
	if (!new &&away == p->source_away[i])
		return;
	p->source_away[i] = away;
	if (is_service(app->plan, addr)) /* already logged for the service */
		return;
	if (away)
		log_warn("source %s is not on this host%s; it is used when it "
			 "comes",
			 addr_format(addr, text), new ? " yet" : " any more");
	else if (!new)
		log_info("source %s is there", addr_format(addr, text));
}

/* Takes one of our addresses for a backend: guarded before it is used. */
static bool add_source(struct app *app, unsigned service, unsigned backend,
		       const struct ip_addr *source)
{
	struct err err;

	if (sources_hold(app, service, backend, source, &err) == 0)
		return true;
	if (!app->presence.refused)
		log_warn("%s", err.text);
	app->presence.refused = true;
	return false;
}

/*
 * Uses the source that the route has chosen. Most often it is the service's
 * address, which is prepared from the start.
 */
static bool take_source(struct app *app, unsigned service, unsigned backend,
			struct backend_spec *b, const struct ip_addr *source)
{
	if (!add_source(app, service, backend, source))
		return false;
	if (!engine_set_source(app->engine, service, backend, source))
		return false;
	b->sources[0] = *source;
	return true;
}

/* True if the backend has a route now. */
static bool look_at_backend(struct app *app, unsigned service, unsigned backend,
			    struct err *why)
{
	struct backend_spec *b = plan_backend(app->plan, service, backend);
	struct ip_addr source;

	if (resolve_source(&app->config.services[service], &b->addr,
			   app->netlink, &source, why))
		return false;
	return addr_is_set(&b->sources[0]) ||
	       take_source(app, service, backend, b, &source);
}

static void look_at_place(struct app *app, unsigned i, unsigned k)
{
	struct presence *p = &app->presence;
	struct backend_spec *b = plan_backend(app->plan, i, k);
	struct err why = {.text = ""};

	b->waits = !look_at_backend(app, i, k, &why);
	p->waiting += b->waits;
	if (p->looked && !b->waits)
		services_tell_backend(app, b);
	/* For a service that is away its own log line is enough. */
	else if (!p->looked && b->waits && !p->service_away[i])
		log_warn("%s; it gets connections when there is one", why.text);
}

/* All backends at the start, then those that wait for a route. */
static bool wants_look(const struct app *app, unsigned i, unsigned k)
{
	const struct service_config *s;

	if (i >= app->config.n_services)
		return false;
	s = &app->config.services[i];
	return service_is_live(s) && k < s->n_backends &&
	       backend_is_live(&s->backends[k]) &&
	       (!app->presence.looked || plan_backend(app->plan, i, k)->waits);
}

/* Of those places that are left, looks at no more than @most backends. */
static void look_at_backends(struct app *app, unsigned most)
{
	struct presence *p = &app->presence;

	for (; p->left && most; p->left--) {
		const unsigned i = p->next / CONFIG_BACKENDS_MAX;
		const unsigned k = p->next % CONFIG_BACKENDS_MAX;

		p->next = (p->next + 1) % PLACES;
		if (!wants_look(app, i, k))
			continue;
		look_at_place(app, i, k);
		most--;
	}
}

uint64_t presence_turn(struct app *app)
{
	look_at_backends(app, ASKED_AT_ONCE);
	return app->presence.left ? 0 : UINT64_MAX;
}

/*
 * At a boot there may be a default route before the route to the backends'
 * network. Backends that are down may be so because the earlier route chose a
 * wrong source.
 */
static void ask_again(struct app *app, unsigned service, unsigned backend)
{
	struct backend_spec *b = plan_backend(app->plan, service, backend);
	struct ip_addr source;
	struct err ignored;

	if (b->waits ||
	    engine_view_backend(app->engine, service, backend, clock_now_ns())
		    .up ||
	    resolve_source(&app->config.services[service], &b->addr,
			   app->netlink, &source, &ignored) ||
	    addr_equal(&source, &b->sources[0]))
		return;
	if (take_source(app, service, backend, b, &source))
		services_tell_backend(app, b);
}

/* A few backends each time, in turn: each costs a query to the kernel. */
static void ask_some_again(struct app *app)
{
	struct presence *p = &app->presence;

	for (unsigned n = 0; n < ASKED_AT_ONCE; n++) {
		const struct service_config *s;

		if (p->service >= app->config.n_services)
			p->service = p->backend = 0;
		s = &app->config.services[p->service];
		if (!service_is_live(s) || s->n_sources ||
		    p->backend >= s->n_backends) {
			p->service++;
			p->backend = 0;
			continue;
		}
		if (backend_is_live(&s->backends[p->backend]))
			ask_again(app, p->service, p->backend);
		p->backend++;
	}
}

void presence_refresh(struct app *app)
{
	struct presence *p = &app->presence;

	if (!p->looked)
		limit_init(&p->limit, LOOKS_PER_S, LOOKS_PER_S);
	p->due = false;
	p->waiting = 0;
	for (unsigned i = 0; i < app->config.n_services; i++)
		if (!app->plan->services[i].unused &&
		    app->config.services[i].slot != SLOT_FREE)
			look_at_service(app, i, !p->looked);
	/* From where it is, so that those at the end have their turn, too. */
	p->left = PLACES;
	if (!p->looked)
		look_at_backends(app, PLACES);
	for (unsigned i = 0; i < app->plan->n_sources; i++)
		if (app->plan->sources[i].holders)
			look_at_source(app, i, !p->looked);
	p->looked = true;
}

/* All backends that have this alternate source hold it from now on. */
static bool add_alternate(struct app *app, const struct ip_addr *source)
{
	const struct plan *plan = app->plan;

	for (unsigned i = 0; i < plan->n_services; i++) {
		const struct service_spec *s = &plan->services[i];

		for (unsigned k = 0; !s->unused && k < s->n_backends; k++)
			if (!s->backends[k].unused &&
			    addr_equal(&s->backends[k].alternate, source) &&
			    !add_source(app, i, k, source))
				return false;
	}
	return true;
}

void presence_take_wanted(struct app *app)
{
	struct ip_addr source;
	int i;

	if (!engine_next_wanted(app->engine, &source) ||
	    !limit_allow(&app->presence.limit, clock_now_ns()) ||
	    !add_alternate(app, &source))
		return;
	i = plan_find_source(app->plan, &source);
	if (i >= 0)
		look_at_source(app, (unsigned)i, false);
}

void presence_service_came(struct app *app, unsigned service)
{
	look_at_service(app, service, true);
}

void presence_source_came(struct app *app, const struct ip_addr *source)
{
	const int i = plan_find_source(app->plan, source);

	if (i >= 0)
		look_at_source(app, (unsigned)i,
			       app->plan->sources[i].holders == 1);
}

void presence_backend_came(struct app *app, unsigned service, unsigned backend)
{
	struct backend_spec *b = plan_backend(app->plan, service, backend);
	struct err why = {.text = ""};

	b->waits = !look_at_backend(app, service, backend, &why);
	app->presence.waiting += b->waits;
	if (!b->waits)
		services_tell_backend(app, b);
	else if (!app->presence.service_away[service])
		log_warn("%s; it gets connections when there is one", why.text);
}

void presence_changed(struct app *app)
{
	if (limit_allow(&app->presence.limit, clock_now_ns()))
		presence_refresh(app);
	else
		app->presence.due = true;
}

void presence_each_second(struct app *app)
{
	struct presence *p = &app->presence;

	if (p->due || (p->waiting && !p->left))
		presence_refresh(app);
	ask_some_again(app);
}
