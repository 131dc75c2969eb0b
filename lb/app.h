/* SPDX-License-Identifier: MIT */
/*
 * app.h - the parts of the program, and what main() does with them
 *
 * One thread owns all of it. start.c assembles the parts; loop.c runs them and
 * ends them.
 */
#ifndef L4LB_APP_H
#define L4LB_APP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "control/config.h"
#include "core/engine.h"
#include "io/checker.h"
#include "io/forward.h"
#include "host/guard_count.h"
#include "host/guard_watch.h"
#include "io/inject.h"
#include "net/netlink.h"
#include "host/reserve.h"
#include "host/state.h"
#include "presence.h"
#include "host/sandbox.h"
#include "control/plan.h"
#include "taps.h"

/* What was last logged of a counter: if it grows, at most every 10 s. */
struct told {
	uint64_t count;
	uint64_t at_ns; /* 0: never */
};

struct app {
	struct config config;
	struct user user; /* the user it runs as after the start */
	struct plan *plan;
	struct netlink *netlink;
	struct reservation *reservation;
	struct presence presence;
	uint16_t probe_lo;	   /* see probe_ports_choose() */
	struct guard_watch *guard; /* NULL: --guard none */
	struct state *state;	   /* holds the flow table */
	struct flow_slot *slots;   /* the index of the flow table */
	size_t slots_bytes;
	struct engine *engine;
	struct inject *inject;
	struct forward *forward;
	struct checker *checker; /* NULL: no service needs one */
	char *filter[TAP_RINGS];
	struct taps taps;
	unsigned frames; /* frames read in the last turn */
	int signals;
	pid_t dumper;	    /* pid of the child writing a dump, or 0 */
	bool dump_again;    /* another dump was requested meanwhile */
	uint64_t dumped_ns; /* start of the last dump */
	unsigned stops;	    /* number of signals to stop */
	bool links_changed;
	uint64_t started_ns;
	uint64_t housekept_ns;
	bool checks_warned;    /* warned that checks cannot be made */
	unsigned pool_warned;  /* percent used of the fullest pool, last */
	struct told refused;   /* connections refused: table full */
	struct told no_port;   /* connections refused: no NAT port free */
	struct told displaced; /* half-closed flows that were recycled */
	struct told limited;   /* our answers that a rate limit stopped */
	struct told outbox;    /* resets and checks that found no room */
	struct told forgotten; /* links, neighbours ... not remembered */
	struct told unreached; /* checks not made for lack of a route */
	struct guard_balance balance;
	uint64_t weighed_ns; /* last comparison of guard and captures */
};

/* Everything up to the first packet. On an error @app may be half-built. */
int app_start(struct app *app, struct err *err);

/* Runs until a signal stops it. False: it cannot continue; this was logged. */
bool app_run(struct app *app);

/* Logs the counters, for SIGUSR1 and at the end. */
void app_log_counters(struct app *app);

/*
 * Undoes the start in reverse; accepts a half-built app. @started: it ran and
 * ends as requested. Otherwise what a crash had left stays for the next try.
 */
void app_finish(struct app *app, bool started);

#endif
