/* SPDX-License-Identifier: MIT */
/*
 * planner.h - reads the configuration file again, in processes of its own
 *
 * See control/reload_keeper.h for these, control/reload.h for what they say.
 */
#ifndef L4LB_PLANNER_H
#define L4LB_PLANNER_H

#include "control/reload_client.h"

struct app;

struct planner {
	struct reload_client client;
	const char *why; /* there is no file to read again, or NULL */
};

/*
 * Begins to read the file again. @base: the file as it was read last; what runs
 * is app->config. @reset: forget what was changed at run time. @dry is handed
 * through to the result. The answer comes from planner_read(). -ENOENT: there
 * is no file to read; -EBUSY: one is being read; -EPIPE: nobody can read it any
 * more; -ENOMEM.
 */
int planner_request(struct app *app, const struct config *base, bool reset,
		    bool dry, struct err *err);

/* For poll(); -1: there is nothing to wait for. */
int planner_fd(const struct app *app);
short planner_events(const struct app *app);

/*
 * Call it when poll() says so. NULL: not ready yet. Else the caller has to free
 * the result.
 */
struct plan_result *planner_read(struct app *app);

#endif
