/* SPDX-License-Identifier: MIT */
/*
 * start.c - the order in which a balancer starts and ends
 *
 * The order matters: we send nothing before the ports are reserved, the flows
 * of an earlier process are taken over and the guard is active.
 */
#include "app.h"
#include "clock.h"
#include "log.h"
#include "steps.h"

static const struct step *const steps[] = {
	&step_permission,
	&step_signals,
	/* While there is nothing yet that it could keep open. */
	&step_planner,
	&step_network,
	&step_state,
	&step_save,
	&step_changes,
	&step_plan,
	/* Before a port of it could become a NAT port. */
	&step_api_address,
	&step_ports,
	&step_inject,
	&step_index,
	/* The notes of flows are there before the flows are. */
	&step_publish,
	&step_engine,
	/* While it may still become another user. */
	&step_api,
	&step_channel_of_root,
	/*
	 * Before the flows of an earlier process are trusted: that process may
	 * have been broken into and have written anything.
	 */
	&step_user,
	&step_takeover,
	/* As the user who runs, if the folder is that user's. */
	&step_channel,
	&step_forward,
	&step_checker,
	&step_interfaces,
	/* Before we can answer the first packet. */
	&step_guard,
	&step_taps,
	/* After everything is opened, see sandbox_filter(). */
	&step_sandbox,
	&step_services,
	&step_leave,
};

#define STEPS (sizeof(steps) / sizeof(*steps))

/* Makes one step. On an error nothing of it is left. */
static int start(const struct step *step, struct app *app, struct err *err)
{
	if (!step->start)
		return 0;
	log_debug("start: %s", step->name);
	return step->start(app, err);
}

static void stop(const struct step *step, struct app *app, bool keep)
{
	if (!step->stop)
		return;
	log_debug("end: %s", step->name);
	step->stop(app, keep);
}

int app_start(struct app *app, struct err *err)
{
	app->started_ns = clock_now_ns();
	for (; app->steps < STEPS; app->steps++) {
		int ret = start(steps[app->steps], app, err);

		if (ret)
			return ret;
	}
	return 0;
}

void app_finish(struct app *app)
{
	const bool complete = app->steps == STEPS;
	const bool keep = complete ? !app->signals.ends &&
					     (app->config.guard == GUARD_KEEP ||
					      app->signals.keeps)
				   : app->state && state_found(app->state);

	while (app->steps > 0)
		stop(steps[--app->steps], app, keep);
}
