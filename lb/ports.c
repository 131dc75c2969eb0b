/* SPDX-License-Identifier: MIT */
/*
 * ports.c - the service ports and the NAT range, taken from this host
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "app.h"
#include "host/probe_ports.h"
#include "log.h"
#include "steps.h"

/*
 * Another instance has the same service port on another address: resetting what
 * looks like a stray would end one of its connections.
 */
static void spare_others(struct app *app)
{
	for (unsigned i = 0; i < app->plan->n_services; i++) {
		const char *why = app->reservation->services[i].shared.text;

		if (!*why)
			continue;
		log_warn("%s", why);
		plan_spare_strays(app->plan, i);
	}
}

static int reserve(struct app *app, struct err *err)
{
	const struct config *c = &app->config;
	const struct plan *p = app->plan;
	struct endpoint services[CONFIG_SERVICES_MAX] = {0};
	struct ip_addr sources[PLAN_SOURCES_MAX + 1];
	struct reserve_request req = {
		.name = c->name,
		.services = services,
		.n_services = p->n_services,
		.sources = sources,
		.n_sources = plan_sources(p, sources),
		.nat_lo = c->nat_lo,
		.nat_hi = c->nat_hi,
		.fixed = c->nat_ports_set,
		.ports_min = CONFIG_NAT_MIN,
		.owner = &app->user.owner,
	};

	for (unsigned i = 0; i < p->n_services; i++)
		if (!p->services[i].unused)
			services[i] = p->services[i].listen;
	/* A source that a route will choose may be any address. */
	if (plan_has_unset(p))
		sources[req.n_sources++] = addr_from_v4(INADDR_ANY);
	/* Flows that continue keep their ports. */
	if (!req.fixed)
		req.had = state_ports(app->state, &req.nat_lo, &req.nat_hi);
	return reserve_take(&app->reservation, &req, err);
}

static int start(struct app *app, struct err *err)
{
	const struct reservation *r;
	int ret = reserve(app, err);

	if (ret)
		return ret;
	r = app->reservation;
	if (*r->warning.text)
		log_warn("%s", r->warning.text);
	spare_others(app);
	app->probe_lo = probe_ports_choose(r, app->state);
	log_info("nat ports %u-%u free=%u in_use_by_this_host=%u",
		 r->mine.range.lo, r->mine.range.hi,
		 r->n_usable - (app->probe_lo ? PROBE_PORTS : 0), r->n_skipped);
	state_set_ports(app->state, r->mine.range.lo, r->mine.range.hi,
			app->probe_lo);
	return 0;
}

static void stop(struct app *app, bool keep)
{
	const int ret = reserve_release(app->reservation, keep);

	if (ret)
		log_warn("the ports of \"%s\" stay reserved, as they cannot be "
			 "given back: %s; l4lb --down %s does it",
			 app->config.name,
			 ret == -EBUSY ? "another process has /run/l4lb locked"
				       : strerror(-ret),
			 app->config.name);
}

const struct step step_ports = {"ports", start, stop};
