/* SPDX-License-Identifier: MIT */
/*
 * setup.h - the configuration applied to this host
 *
 * Determines what depends on the host's addresses and routes: the source
 * address toward each backend (design rule 8).
 */
#ifndef L4LB_SETUP_H
#define L4LB_SETUP_H

#include "control/config.h"
#include "core/engine.h"
#include "host/guard.h"
#include "net/netlink.h"
#include "host/state.h"

#define SETUP_SOURCES_MAX 256 /* our addresses toward all backends */

struct setup {
	const struct config *config; /* borrowed */
	unsigned n_services;
	struct service_spec *services;
	struct backend_spec *backends; /* of all services, without gaps */

	/* Flat lists for the guard and the reservation. */
	struct endpoint *listens;   /* n_services */
	struct endpoint *endpoints; /* n_backends, with duplicates */
	unsigned n_backends;
	struct ip_addr sources[SETUP_SOURCES_MAX]; /* distinct */
	unsigned n_sources;

	/* Flows in the state file that cannot continue, by reason. */
	uint32_t lost_service; /* their service is not configured any more */
	uint32_t lost_room;    /* the service has too many backends */
};

/*
 * Flows of an earlier process, in @state, may need more than what is
 * configured. A backend that is no longer configured becomes one of its service
 * with .gone set. A source address that is no longer configured goes into a
 * second entry of its backend, of weight 0.
 *
 * Addresses and routes that this host lacks may come later. Until then the
 * source toward the backend is unset (presence.h).
 */
int setup_new(struct setup **out, const struct config *config,
	      const struct state *state, struct netlink *nl, struct err *err);
void setup_free(struct setup *s);

/* True if @addr is an address of this host. */
bool setup_is_local(const struct ip_addr *addr, struct netlink *nl);

/*
 * Our address toward a backend by the current routes, or the first one that the
 * user gave. -EADDRNOTAVAIL: the choice depends on the service's address, and
 * this host does not have it. -ENETUNREACH and others: there is no route.
 */
int setup_source(const struct service_config *service,
		 const struct endpoint *backend, struct netlink *nl,
		 struct ip_addr *out, struct err *err);

/*
 * Adds to .sources; *added is false if it was there already.
 * setup_remove_source() removes the last one.
 */
int setup_add_source(struct setup *s, const struct ip_addr *addr, bool *added,
		     struct err *err);
void setup_remove_source(struct setup *s);

/* Switches the engine's own checks off; true if there were any. */
bool setup_without_syn_checks(struct setup *s);

/* True if the source toward a backend is unset. */
bool setup_has_unset(const struct setup *s);

/* True if a backend is on this host. */
bool setup_has_local_backend(const struct setup *s, struct netlink *nl);

#endif
