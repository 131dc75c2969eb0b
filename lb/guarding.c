/* SPDX-License-Identifier: MIT */
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

static int start(struct app *app, struct err *err)
{
	const struct port_range *nat = &app->reservation->mine.range;
	const struct plan *p = app->plan;
	const struct guard_spec spec = {
		.name = app->config.name,
		.services = p->listens,
		.n_services = p->n_services,
		.backends = p->endpoints,
		.n_backends = p->n_backends,
		.sources = p->sources,
		.n_sources = p->n_sources,
		.nat_lo = nat->lo,
		.nat_hi = nat->hi,
		.skipped = app->reservation->skipped,
		.n_skipped = app->reservation->n_skipped,
		.interfaces = app->interfaces.guarded,
		.n_interfaces = app->interfaces.n_guarded,
	};
	int ret;

	if (app->config.guard == GUARD_NONE) {
		log_info(
			"guard none: nothing keeps this host's kernel from "
			"resetting connections, unless iptables/guard.sh does");
		return 0;
	}
	ret = guard_watch_open(&app->guard, &spec, err);
	if (ret)
		return ret;
	log_info("guard %s: nftables table l4lb_%s",
		 app->config.guard == GUARD_KEEP ? "keep" : "auto", spec.name);
	return 0;
}

static void stop(struct app *app, bool keep)
{
	struct err err;

	if (app->guard && !keep && guard_down(app->config.name, &err))
		log_warn("%s", err.text);
	guard_watch_close(app->guard);
}

const struct step step_guard = {"guard", start, stop};
