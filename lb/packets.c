/* SPDX-License-Identifier: MIT */
#include <assert.h>

#include "app.h"
#include "io/tap_match.h"
#include "log.h"
#include "packets.h"
#include "steps.h"

static_assert(CONFIG_CLAMP_OFF == FORWARD_CLAMP_OFF, "handed on as it is");
static_assert(CONFIG_CLAMP_AUTO == FORWARD_CLAMP_AUTO, "the same");

static struct tap_match match(const struct app *app)
{
	const struct port_range *nat = &app->reservation->mine.range;
	const struct plan *p = app->plan;

	return (struct tap_match){
		.services = p->listens,
		.n_services = p->n_services,
		.sources = p->sources,
		.n_sources = p->n_sources,
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
	const struct tap_match m = match(app);

	app->taps.interfaces = &app->interfaces;
	app->taps.netlink = app->netlink;
	app->taps.inject = app->inject;
	app->taps.forward = app->forward;
	app->taps.engine = app->engine;
	return taps_open(&app->taps, tap_match_syns(&m), tap_match_flows(&m),
			 plan_has_local_backend(app->plan, app->netlink), err);
}

static void close_taps(struct app *app, bool keep)
{
	(void)keep;
	taps_close(&app->taps);
}

const struct step step_taps = {"taps", open_taps, close_taps};

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
}

int packets_add_source(struct app *app, const struct ip_addr *source,
		       struct err *err)
{
	const struct tap_match m = match(app);
	int ret = guard_watch_add(app->guard, GUARD_SOURCES, source, err);
	char *flows;

	if (ret)
		return ret;
	flows = tap_match_flows(&m);
	if (flows)
		taps_set_filter(&app->taps, flows);
	else
		log_warn("out of memory");
	return 0;
}
