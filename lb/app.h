/* SPDX-License-Identifier: MIT */
/*
 * app.h - the parts of the program, and what main() does with them
 *
 * One thread owns all of it. start.c assembles the parts and ends them; loop.c
 * runs them.
 */
#ifndef L4LB_APP_H
#define L4LB_APP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/config.h"
#include "control/plan.h"
#include "control/presence.h"
#include "core/engine.h"
#include "host/guard_watch.h"
#include "host/reserve.h"
#include "host/sandbox.h"
#include "host/state.h"
#include "io/checker.h"
#include "io/forward.h"
#include "io/inject.h"
#include "net/netlink.h"

#include "api_start.h"
#include "change.h"
#include "channel.h"
#include "departure.h"
#include "children.h"
#include "interfaces.h"
#include "overlay.h"
#include "planner.h"
#include "publish.h"
#include "reach.h"
#include "reloading.h"
#include "save.h"
#include "signals.h"
#include "supervision.h"
#include "taps.h"
#include "watch.h"

struct app {
	int argc; /* of main() */
	char **argv;
	struct config config;
	uint64_t started_ns;
	unsigned steps;	  /* those of start.c that were made */
	struct user user; /* the user it runs as after the start */
	struct signals signals;
	struct children children;
	struct planner planner;
	struct netlink *netlink;
	struct state *state; /* holds the flow table */
	struct plan *plan;
	struct reservation *reservation;
	uint16_t probe_lo; /* see probe_ports_choose() */
	struct inject *inject;
	struct flow_slot *slots; /* the index of the flow table; may be NULL */
	size_t slots_bytes;
	struct engine *engine;
	struct forward *forward;
	struct checker *checker;
	struct guard_watch *guard; /* NULL: --guard none */
	struct interfaces interfaces;
	struct taps taps;
	struct presence presence;
	struct reach reach;
	struct watch watch;
	struct publish publish;
	struct change change;
	struct departure departure;
	struct overlay overlay;
	struct saver saver;
	struct reloading reloading;
	struct api_child api;
	struct channel channel;
	struct supervision supervision;
	bool filter_stale; /* see packets_follow_plan() */
	unsigned frames;   /* frames read in the last turn of the loop */
};

/*
 * Everything up to the first packet. After an error app_finish() undoes what
 * was made.
 */
int app_start(struct app *app, struct err *err);

/* Runs until a signal stops it. False: it cannot continue; this was logged. */
bool app_run(struct app *app);

/*
 * One turn of app_run(): waits for an event and handles it. False: poll()
 * failed; this was logged.
 */
bool loop_turn(struct app *app, int timeout_ms);

/*
 * Undoes the start in reverse. If the start failed, what a crash had left stays
 * for the next try.
 */
void app_finish(struct app *app);

#endif
