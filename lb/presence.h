/* SPDX-License-Identifier: MIT */
/*
 * presence.h - what this host has of what the configuration needs
 *
 * Addresses of services, our addresses toward backends, and routes to these
 * may come after the start, as with DHCP or keepalived at a boot, and go and
 * come again. Each is told once when it is missing and once when it is there;
 * what depends on it waits, all else goes on (design rule 15). One function
 * for the start and for later: the start is not stricter than what follows.
 */
#ifndef L4LB_PRESENCE_H
#define L4LB_PRESENCE_H

#include <stdbool.h>

#include "control/config.h"
#include "core/limit.h"
#include "setup.h"

struct app;

struct presence {
	bool looked;	    /* once, at the start */
	struct limit limit; /* each look costs questions to the kernel */
	bool service_away[CONFIG_SERVICES_MAX];
	bool source_away[SETUP_SOURCES_MAX];
	bool due;	       /* something changed since it was looked at */
	bool refused;	       /* a source that another instance has; told */
	struct ip_addr wanted; /* a source; unset: none */
	unsigned waiting;      /* backends without a way since the start */
	unsigned service, backend; /* where presence_ask_again() goes on */
};

/*
 * Looks at all of it, tells the log and the engine what is new, and decides
 * the sources of backends that have a way now.
 */
void presence_refresh(struct app *app);

/*
 * The same after a change of links, addresses or routes, of which a routing
 * daemon makes thousands a second: not more often than the limit allows.
 */
void presence_changed(struct app *app);

/*
 * Once a second: what presence_changed() left; and whether the route has chosen
 * another source toward backends that are down. New connections then have that
 * one.
 */
void presence_each_second(struct app *app);

/*
 * Whether @source is ours to use, for struct engine_spec. If it is not, it is
 * taken before the next turn, from the kernel and from other instances, and
 * captured; not from the start, as most never need it, and one instance would
 * keep its ports from all others.
 */
bool presence_may_use(void *app, const struct ip_addr *source);
void presence_take_wanted(struct app *app);

/* In the log: how that backend is reached. start.c */
void app_tell_backend(struct app *app, const struct backend_spec *b);

/* What is taken from the kernel and captured has grown by a source. start.c */
void app_sources_changed(struct app *app);

#endif
