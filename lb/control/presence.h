/* SPDX-License-Identifier: MIT */
/*
 * presence.h - which addresses and routes of the configuration this host has
 *
 * Addresses of services, our addresses toward backends, and routes to these may
 * come after the start, as with DHCP or keepalived at a boot, and may go and
 * come again. Each is logged once when it goes and once when it comes. What
 * depends on it waits, everything else continues (design rule 15). The same
 * function serves the start and every later change, so the start is not
 * stricter than what follows.
 */
#ifndef L4LB_PRESENCE_H
#define L4LB_PRESENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "control/config.h"
#include "core/limit.h"
#include "control/plan.h"

struct app;

struct presence {
	bool looked;	    /* false before the first look */
	struct limit limit; /* each look queries the kernel */
	bool service_away[CONFIG_SERVICES_MAX];
	bool source_away[PLAN_SOURCES_MAX];
	bool due;	  /* something changed since the last look */
	bool refused;	  /* logged: another instance has the source */
	unsigned waiting; /* backends without a route since the start */
	unsigned next;	  /* the place of a backend that is looked at next */
	unsigned left;	  /* places to look at, from there on */
	unsigned service, backend; /* where ask_some_again() continues */
};

/*
 * Compares host and configuration, passes changes to log and engine, and
 * chooses the sources of backends that have a route now. After the first time,
 * presence_turn() looks at the backends.
 */
void presence_refresh(struct app *app);

/*
 * Looks at some of the backends that had no route: each costs a query to the
 * kernel, and packets wait meanwhile. When to call it again: at 0 there are
 * more, UINT64_MAX: no need.
 */
uint64_t presence_turn(struct app *app);

/*
 * Calls presence_refresh() after a change of links, addresses or routes, but no
 * more often than the limit allows: a routing daemon makes thousands of changes
 * a second.
 */
void presence_changed(struct app *app);

/*
 * Call once a second. Catches up on what the limit of presence_changed()
 * postponed. Also checks whether the route to a backend that is down now
 * chooses another source; new connections then use that one.
 */
void presence_each_second(struct app *app);

/*
 * What a change at run time has brought: the service is live in the engine, the
 * source has a pool there, the backend is live and its line goes into the log.
 */
void presence_service_came(struct app *app, unsigned service);
void presence_source_came(struct app *app, const struct ip_addr *source);
void presence_backend_came(struct app *app, unsigned service, unsigned backend);

/*
 * Takes the alternate source that the engine wants, if there is one: from the
 * kernel, from other instances, and into the captures. Then the engine may use
 * it. It is not taken at the start, because most alternates are never needed,
 * and one instance would keep its ports from all others.
 */
void presence_take_wanted(struct app *app);

#endif
