/* SPDX-License-Identifier: MIT */
/*
 * steps.h - the steps of the start, each in the file of its subject
 *
 * start.c has their order. The end undoes them in reverse.
 */
#ifndef L4LB_STEPS_H
#define L4LB_STEPS_H

#include <stdbool.h>

#include "core/err.h"

struct app;

struct step {
	const char *name; /* in the log at -v -v */
	/* On an error nothing of the step is left. NULL: nothing to do. */
	int (*start)(struct app *app, struct err *err);
	/* @keep: leave what the next start continues with. NULL as above. */
	void (*stop)(struct app *app, bool keep);
};

extern const struct step step_permission; /* privileges.c */
extern const struct step step_user;
extern const struct step step_sandbox;
extern const struct step step_signals; /* signals.c */
extern const struct step step_planner; /* planner.c */
extern const struct step step_network; /* network.c */
extern const struct step step_plan;    /* services.c */
extern const struct step step_services;
extern const struct step step_ports; /* ports.c */
extern const struct step step_state; /* flows.c */
extern const struct step step_index;
extern const struct step step_engine;
extern const struct step step_takeover;
extern const struct step step_publish; /* publish.c */
extern const struct step step_inject;  /* packets.c */
extern const struct step step_forward;
extern const struct step step_checker;
extern const struct step step_interfaces;
extern const struct step step_taps;
extern const struct step step_guard;	       /* guarding.c */
extern const struct step step_leave;	       /* leave.c */
extern const struct step step_changes;	       /* overlay_start.c */
extern const struct step step_save;	       /* save.c */
extern const struct step step_channel_of_root; /* channel.c */
extern const struct step step_channel;
extern const struct step step_api_address; /* api_address.c */
extern const struct step step_api;	   /* api_start.c */

#endif
