/* SPDX-License-Identifier: MIT */
#include "app.h"
#include "packets.h"
#include "sources.h"

static void give_back(struct app *app, const struct ip_addr *source)
{
	struct err ignored;

	(void)packets_filter_changed(app, &ignored);
	/* If the guard fails, it reports that itself and tries again. */
	(void)guard_watch_del(app->guard, GUARD_SOURCES, source, &ignored);
}

int sources_hold(struct app *app, unsigned service, unsigned backend,
		 const struct ip_addr *source, struct err *err)
{
	struct err ignored;
	bool added;
	int ret = plan_hold(app->plan, service, backend, source, &added, err);

	if (ret || !added)
		return ret;
	ret = reserve_add_source(app->reservation, source, err);
	if (!ret)
		ret = guard_watch_add(app->guard, GUARD_SOURCES, source, err);
	if (!ret) {
		ret = packets_filter_changed(app, err);
		if (ret)
			(void)guard_watch_del(app->guard, GUARD_SOURCES, source,
					      &ignored);
	}
	if (ret)
		plan_unhold(app->plan, service, backend, source);
	return ret;
}

void sources_release(struct app *app, unsigned service, unsigned backend)
{
	struct ip_addr source;
	bool freed;

	while (plan_release(app->plan, service, backend, &source, &freed))
		if (freed)
			give_back(app, &source);
}
