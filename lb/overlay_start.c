/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <unistd.h>

#include "app.h"
#include "overlay.h"
#include "steps.h"

static int start(struct app *app, struct err *err)
{
	return overlay_set_base(app, &app->config)
		       ? err_set(err, -ENOMEM, "out of memory")
		       : 0;
}

static void stop(struct app *app, bool keep)
{
	char path[OVERLAY_PATH_MAX];

	if (!keep)
		(void)unlink(overlay_path(app, path));
	config_free(&app->overlay.base);
	text_free(&app->overlay.leaving);
}

const struct step step_changes = {"changes", start, stop};
