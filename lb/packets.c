/* SPDX-License-Identifier: MIT */
#include <assert.h>

#include "app.h"
#include "io/tap_match.h"
#include "log.h"
#include "packets.h"
#include "steps.h"

static_assert(CONFIG_CLAMP_OFF == FORWARD_CLAMP_OFF, "handed on as it is");
static_assert(CONFIG_CLAMP_AUTO == FORWARD_CLAMP_AUTO, "the same");

/* What the captures must bring; the lists are copies. */
struct wanted {
	struct tap_match match;
	struct endpoint services[CONFIG_SERVICES_MAX];
	struct ip_addr sources[PLAN_SOURCES_MAX];
};

static void want(const struct app *app, struct wanted *w)
{
	const struct port_range *nat = &app->reservation->mine.range;

	w->match = (struct tap_match){
		.services = w->services,
		.n_services = plan_listens(app->plan, w->services),
		.sources = w->sources,
		.n_sources = plan_sources(app->plan, w->sources),
		.nat_lo = nat->lo,
		.nat_hi = nat->hi,
	};
}

static int open_inject(struct app *app, struct err *err)
{
	return inject_open(&app->inject, err);
}

static void close_inject(struct app *app, bool keep)
{
	(void)keep;
	inject_close(app->inject);
}

const struct step step_inject = {"inject", open_inject, close_inject};

static int new_forward(struct app *app, struct err *err)
{
	return forward_new(&app->forward, app->engine, app->inject,
			   app->netlink, app->config.mss_clamp, err);
}

static void free_forward(struct app *app, bool keep)
{
	(void)keep;
	forward_free(app->forward);
}

const struct step step_forward = {"forward", new_forward, free_forward};

static int open_checker(struct app *app, struct err *err)
{
	const struct port_range *nat = &app->reservation->mine.range;

	return checker_open(&app->checker, app->engine, nat->lo, nat->hi, err);
}

static void close_checker(struct app *app, bool keep)
{
	(void)keep;
	checker_close(app->checker);
}

const struct step step_checker = {"checker", open_checker, close_checker};

static int find_interfaces(struct app *app, struct err *err)
{
	return interfaces_find(&app->interfaces, &app->config, app->netlink,
			       err);
}

const struct step step_interfaces = {"interfaces", find_interfaces, NULL};

static int open_taps(struct app *app, struct err *err)
{
	struct wanted w;

	want(app, &w);
	app->taps.interfaces = &app->interfaces;
	app->taps.netlink = app->netlink;
	app->taps.inject = app->inject;
	app->taps.forward = app->forward;
	app->taps.engine = app->engine;
	return taps_open(&app->taps, &w.match,
			 plan_has_local_backend(app->plan, app->netlink), err);
}

static void close_taps(struct app *app, bool keep)
{
	(void)keep;
	taps_close(&app->taps);
}

const struct step step_taps = {"taps", open_taps, close_taps};

int packets_filter_changed(struct app *app, struct err *err)
{
	struct wanted w;

	want(app, &w);
	return taps_set_match(&app->taps, &w.match, err);
}

void packets_follow_plan(struct app *app)
{
	struct err err;

	app->filter_stale = packets_filter_changed(app, &err) != 0;
	if (app->filter_stale)
		log_warn("the captures cannot follow a change, this is tried "
			 "again: %s",
			 err.text);
}

/*
 * In both the guard is first: the captures must not take what it leaves to the
 * kernel.
 */
void packets_links_changed(struct app *app)
{
	if (app->config.n_interfaces) {
		interfaces_follow(&app->interfaces);
		guard_watch_narrow(app->guard, app->interfaces.guarded,
				   app->interfaces.n_guarded);
	}
	taps_refresh(&app->taps);
	if (app->filter_stale)
		packets_follow_plan(app);
}
