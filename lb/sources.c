/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "app.h"
#include "log.h"
#include "packets.h"
#include "sources.h"

/* Recorded, guarded, captured, in this order; after an error none of these. */
static int take(struct app *app, const struct ip_addr *source, struct err *err)
{
	struct err ignored;
	int ret = reserve_add_source(app->reservation, source, err);

	if (ret)
		return ret;
	ret = guard_watch_add(app->guard, GUARD_SOURCES, source, err);
	if (!ret) {
		ret = packets_filter_changed(app, err);
		if (ret)
			(void)guard_watch_del(app->guard, GUARD_SOURCES, source,
					      &ignored);
	}
	/* If the folder is locked now, the record has one too many. */
	if (ret)
		(void)reserve_del_source(app->reservation, source, &ignored);
	return ret;
}

int sources_hold(struct app *app, unsigned service, unsigned backend,
		 const struct ip_addr *source, struct err *err)
{
	bool added;
	int ret = plan_hold(app->plan, service, backend, source, &added, err);

	if (ret || !added)
		return ret;
	ret = take(app, source, err);
	if (ret)
		plan_unhold(app->plan, service, backend, source);
	return ret;
}

/* Nobody uses it any more. The record first, as only that one can wait. */
static int give_back(struct app *app, unsigned service, unsigned backend,
		     const struct ip_addr *source)
{
	struct err err;
	int ret = reserve_del_source(app->reservation, source, &err);

	if (ret == -EAGAIN)
		return ret;
	if (ret)
		log_warn("%s", err.text);
	plan_unhold(app->plan, service, backend, source);
	packets_follow_plan(app);
	/* If the guard fails, it reports that itself and tries again. */
	(void)guard_watch_del(app->guard, GUARD_SOURCES, source, &err);
	return 0;
}

int sources_release(struct app *app, unsigned service, unsigned backend)
{
	struct ip_addr source;
	bool alone;
	int ret = 0;

	while (!ret &&
	       plan_next_held(app->plan, service, backend, &source, &alone)) {
		if (alone)
			ret = give_back(app, service, backend, &source);
		else
			plan_unhold(app->plan, service, backend, &source);
	}
	return ret;
}
