/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "app.h"
#include "clock.h"
#include "guarding.h"
#include "host/guard.h"
#include "log.h"
#include "steps.h"

void guarding_read(struct app *app)
{
	const char *news = guard_watch_read(app->guard, clock_now_ns());

	if (news)
		log_warn("%s", news);
}

static int put_up(struct app *app, const struct guard_spec *what,
		  struct err *err)
{
	int ret;

	if (app->config.guard == GUARD_NONE) {
		log_info(
			"guard none: nothing keeps this host's kernel from "
			"resetting connections, unless iptables/guard.sh does");
		return 0;
	}
	ret = guard_watch_open(&app->guard, what, err);
	if (ret)
		return ret;
	log_info("guard %s: nftables table l4lb_%s",
		 app->config.guard == GUARD_KEEP ? "keep" : "auto", what->name);
	return 0;
}

static int start(struct app *app, struct err *err)
{
	const struct port_range *nat = &app->reservation->mine.range;
	struct endpoint services[CONFIG_SERVICES_MAX], *backends;
	struct ip_addr sources[PLAN_SOURCES_MAX];
	struct guard_spec spec = {
		.name = app->config.name,
		.services = services,
		.n_services = plan_listens(app->plan, services),
		.sources = sources,
		.n_sources = plan_sources(app->plan, sources),
		.nat_lo = nat->lo,
		.nat_hi = nat->hi,
		.skipped = app->reservation->skipped,
		.n_skipped = app->reservation->n_skipped,
		.interfaces = app->interfaces.guarded,
		.n_interfaces = app->interfaces.n_guarded,
	};
	int ret;

	if (plan_endpoints(app->plan, &backends, &spec.n_backends))
		return err_set(err, -ENOMEM, "out of memory");
	spec.backends = backends;
	ret = put_up(app, &spec, err);
	free(backends);
	return ret;
}

static void stop(struct app *app, bool keep)
{
	struct err err;

	if (app->guard && !keep && guard_down(app->config.name, &err))
		log_warn("%s", err.text);
	guard_watch_close(app->guard);
}

const struct step step_guard = {"guard", start, stop};
