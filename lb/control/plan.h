/* SPDX-License-Identifier: MIT */
/*
 * plan.h - the configuration applied to this host
 *
 * The services and backends as the engine wants them, with our source address
 * toward each backend (resolve.h), and which of our addresses are in use for
 * it. Places have the numbers of the configuration, and holes where that has
 * them: what is not in use is marked unused.
 */
#ifndef L4LB_PLAN_H
#define L4LB_PLAN_H

#include "control/config.h"
#include "core/engine.h"
#include "host/needs.h"
#include "net/netlink.h"

#define PLAN_SOURCES_MAX 256 /* our addresses toward all backends */

/* One of our addresses toward backends. Its place stays the same. */
struct plan_source {
	struct ip_addr addr;
	unsigned holders; /* backends that use it, or may; 0: a free place */
};

struct source_set {
	uint64_t bits[PLAN_SOURCES_MAX / 64];
};

/* The backends of a service, by their slots. */
struct plan_backends {
	struct backend_spec specs[SERVICE_BACKENDS_MAX];
	struct source_set held[SERVICE_BACKENDS_MAX];
};

struct plan {
	/* Slots in use so far, as many as the engine's. */
	unsigned n_services;
	struct service_spec services[CONFIG_SERVICES_MAX];
	/* NULL: the slot was never used. */
	struct plan_backends *backends[CONFIG_SERVICES_MAX];
	struct plan_source sources[PLAN_SOURCES_MAX];
	unsigned n_sources; /* places in use so far */

	/* What this host takes from the settings of services. */
	bool without_syn_checks;		 /* no ports for them */
	bool strays_spared[CONFIG_SERVICES_MAX]; /* another instance uses the
						  * port: no resets
						  */

	/* Flows in the state file that cannot continue, by reason. */
	uint32_t lost_service; /* their service is not configured any more */
	uint32_t lost_room;    /* the service has too many backends */
};

/*
 * Addresses and routes that this host lacks may come later. Until then the
 * source toward the backend is unset (presence.h).
 */
int plan_new(struct plan **out, const struct config *config, struct netlink *nl,
	     struct err *err);
void plan_free(struct plan *p);

/*
 * Fills an unused place as @config has it; -ENOMEM. The service has no backends
 * yet. plan_set_backend() asks the kernel for the route; it cannot fail, and
 * holds no source yet.
 */
int plan_set_service(struct plan *p, const struct config *config,
		     unsigned service, struct err *err);
void plan_set_backend(struct plan *p, const struct config *config,
		      unsigned service, unsigned backend, struct netlink *nl);

/* Takes the settings of a place in use over from @config. */
void plan_change_service(struct plan *p, const struct config *config,
			 unsigned service);
void plan_change_backend(struct plan *p, const struct config *config,
			 unsigned service, unsigned backend);

/* The place is unused again. It holds no sources. */
void plan_drop_service(struct plan *p, unsigned service);
void plan_drop_backend(struct plan *p, unsigned service, unsigned backend);

/* For places in use. */
struct backend_spec *plan_backend(const struct plan *p, unsigned service,
				  unsigned backend);

/*
 * Holds one of our addresses for a backend. *added: it was not held before, so
 * guard, reservation and captures do not know it. -ENOSPC: too many.
 */
int plan_hold(struct plan *p, unsigned service, unsigned backend,
	      const struct ip_addr *source, bool *added, struct err *err);

/*
 * Source number @n that the backend needs from the start; false: that was the
 * last. Where a route has yet to choose, it is the address of the service, as
 * that is what it will be most often. Guard, reservation and captures are then
 * prepared, and later only the engine needs it.
 */
bool plan_needed_source(const struct plan *p, unsigned service,
			unsigned backend, unsigned n, struct ip_addr *out);

/* The backend does not hold it any more. */
void plan_unhold(struct plan *p, unsigned service, unsigned backend,
		 const struct ip_addr *source);

/* One of the sources that a backend holds. *alone: nobody else holds it. */
bool plan_next_held(const struct plan *p, unsigned service, unsigned backend,
		    struct ip_addr *source, bool *alone);

/* The place of a source that is held, or -1. */
int plan_find_source(const struct plan *p, const struct ip_addr *source);

/* What is in use, for guard, reservation and captures: how many. */
unsigned plan_sources(const struct plan *p,
		      struct ip_addr out[PLAN_SOURCES_MAX]);
unsigned plan_listens(const struct plan *p,
		      struct endpoint out[CONFIG_SERVICES_MAX]);
/* All backends, one for each place; the caller frees the list. -ENOMEM. */
int plan_endpoints(const struct plan *p, struct endpoint **out, size_t *n);

/* Switches the engine's own checks off for good; true if there were any. */
bool plan_without_syn_checks(struct plan *p);

/* Packets of no connection get no resets from the service, for good. */
void plan_spare_strays(struct plan *p, unsigned service);

/* True if the source toward a backend is unset. */
bool plan_has_unset(const struct plan *p);

/* True if a backend is on this host. */
bool plan_has_local_backend(const struct plan *p, struct netlink *nl);

#endif
