/* SPDX-License-Identifier: MIT */
/*
 * app.h - the program's parts, and what main() does with them
 *
 * One thread owns all of it. start.c puts it together, loop.c keeps it going
 * and ends it.
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
#include "io/guard_count.h"
#include "io/guard_watch.h"
#include "io/inject.h"
#include "io/netlink.h"
#include "io/reserve.h"
#include "io/state.h"
#include "presence.h"
#include "sandbox.h"
#include "setup.h"
#include "taps.h"

#define NS_PER_MS 1000000ull

/* What was told of a counter: when it has grown, and at most every 10 s. */
struct told {
	uint64_t count;
	uint64_t at_ns; /* 0: never */
};

struct app {
	struct config config;
	struct user user; /* whom it runs as after the start */
	struct setup *setup;
	struct netlink *netlink;
	struct reservation *reservation;
	struct presence presence;
	uint16_t probe_lo;	   /* see setup_probe_ports() */
	struct guard_watch *guard; /* NULL: none of ours */
	struct state *state;	   /* the flow table lies there */
	struct flow_slot *slots;   /* its index */
	size_t slots_bytes;
	struct engine *engine;
	struct inject *inject;
	struct forward *forward;
	struct checker *checker; /* NULL: no service needs it */
	char *filter[TAP_RINGS];
	struct taps taps;
	unsigned frames; /* read in the last turn */
	int signals;
	pid_t dumper;	    /* child writing a dump, or 0 */
	bool dump_again;    /* asked for meanwhile */
	uint64_t dumped_ns; /* when it was started */
	unsigned stops;	    /* how often it was told to */
	bool links_changed;
	uint64_t started_ns;
	uint64_t housekept_ns;
	bool checks_warned;    /* some could not be made */
	unsigned pool_warned;  /* percent of the fullest, last told */
	struct told refused;   /* new connections, since the table was full */
	struct told no_port;   /* the same, since no NAT port was left */
	struct told displaced; /* half-closed connections */
	struct told limited;   /* answers of ours: too many */
	struct told outbox;    /* the same: no room */
	struct told forgotten; /* of the network */
	struct told unreached; /* checks without a way */
	struct guard_balance balance;
	uint64_t weighed_ns; /* guard against captures, last */
};

/* Everything up to the first packet; half of it may be there on an error. */
int app_start(struct app *app, struct err *err);

/* Until it is told to stop; false: it cannot go on, which was logged. */
bool app_run(struct app *app);

/* What SIGUSR1 and the end log. */
void app_log_counters(struct app *app);

/*
 * In reverse; everything may be half-built. @started: it ran, and ends as it
 * was asked to; otherwise what a crash had left is left to the next try.
 */
void app_finish(struct app *app, bool started);

#endif
