/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "app.h"
#include "control/config_file.h"
#include "log.h"
#include "steps.h"

int planner_request(struct app *app, const struct config *base, bool reset,
		    bool dry, struct err *err)
{
	struct planner *p = &app->planner;

	if (p->why)
		return err_set(err, -ENOENT, "%s", p->why);
	return reload_client_ask(&p->client, &app->config, base, reset, dry,
				 err);
}

int planner_fd(const struct app *app)
{
	return app->planner.client.fd;
}

short planner_events(const struct app *app)
{
	return reload_client_events(&app->planner.client);
}

struct plan_result *planner_read(struct app *app)
{
	bool gone;
	struct plan_result *r = reload_client_run(&app->planner.client, &gone);

	if (gone)
		log_warn("the process that reads the configuration file again "
			 "(l4lb-plan) has ended: balancing goes on, but a "
			 "reload needs a restart of l4lb");
	return r;
}

/* planner_read() says what it means; here it is only no zombie any more. */
static void on_end(void *arg, int status)
{
	struct app *app = arg;

	(void)status;
	app->planner.client.pid = 0;
}

static int start(struct app *app, struct err *err)
{
	const struct keeper_spec spec = {
		.argc = app->argc,
		.argv = app->argv,
		.path = config_path(app->argc, app->argv),
		.name = app->config.name,
		.user = &app->user,
	};
	struct planner *p = &app->planner;
	int ret;

	p->client.fd = -1;
	p->why = !spec.path ? "there is no configuration file to read again: "
			      "l4lb was started with its servers as arguments"
		 : config_file_was_pipe(spec.path)
			 ? "the configuration came from a pipe, which cannot "
			   "be read again: start l4lb with a file"
			 : NULL;
	if (p->why)
		return 0;
	ret = reload_client_start(&p->client, &spec, err);
	if (!ret)
		(void)children_add(&app->children, p->client.pid, on_end, app);
	return ret;
}

static void stop(struct app *app, bool keep)
{
	(void)keep;
	reload_client_stop(&app->planner.client);
}

const struct step step_planner = {"planner", start, stop};
