/* SPDX-License-Identifier: MIT */
/*
 * plan.h - the configuration applied to this host
 *
 * The services and backends as the engine wants them, with our source address
 * toward each backend (resolve.h), and the flat lists that the guard, the
 * reservation and the captures need.
 */
#ifndef L4LB_PLAN_H
#define L4LB_PLAN_H

#include "control/config.h"
#include "core/engine.h"
#include "host/needs.h"
#include "net/netlink.h"

#define PLAN_SOURCES_MAX 256 /* our addresses toward all backends */

struct plan {
	const struct config *config; /* borrowed */
	unsigned n_services;
	struct service_spec *services;
	struct backend_spec *backends; /* of all services */

	/* Flat lists for the guard and the reservation. */
	struct endpoint *listens;   /* n_services */
	struct endpoint *endpoints; /* n_backends, with duplicates */
	unsigned n_backends;
	struct ip_addr sources[PLAN_SOURCES_MAX]; /* distinct */
	unsigned n_sources;

	/* Flows in the state file that cannot continue, by reason. */
	uint32_t lost_service; /* their service is not configured any more */
	uint32_t lost_room;    /* the service has too many backends */
};

/*
 * Has room for what old_flows_add() adds of @needs.
 *
 * Addresses and routes that this host lacks may come later. Until then the
 * source toward the backend is unset (presence.h).
 */
int plan_new(struct plan **out, const struct config *config,
	     const struct needs *needs, struct netlink *nl, struct err *err);
void plan_free(struct plan *p);

/* The backends of a service. */
struct backend_spec *plan_backends(struct plan *p, unsigned service);

/* Adds to .sources; *added is false if it was there already. */
int plan_add_source(struct plan *p, const struct ip_addr *addr, bool *added,
		    struct err *err);

/* Switches the engine's own checks off; true if there were any. */
bool plan_without_syn_checks(struct plan *p);

/* True if the source toward a backend is unset. */
bool plan_has_unset(const struct plan *p);

/* True if a backend is on this host. */
bool plan_has_local_backend(const struct plan *p, struct netlink *nl);

#endif
