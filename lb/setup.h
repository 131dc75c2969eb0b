/* SPDX-License-Identifier: MIT */
/*
 * setup.h - what the configuration means on this host
 *
 * Resolves what only the host's addresses and routes can tell: the source
 * address toward each backend (design rule 8), and the kernel filter.
 */
#ifndef L4LB_SETUP_H
#define L4LB_SETUP_H

#include "control/config.h"
#include "core/engine.h"
#include "io/guard.h"
#include "io/netlink.h"
#include "io/reserve.h"
#include "io/state.h"

#define SETUP_SOURCES_MAX 256 /* our addresses toward all backends */

struct setup {
	const struct config *config; /* borrowed */
	unsigned n_services;
	struct service_spec *services;
	struct backend_spec *backends; /* of all services, one after another */

	/* The same as flat lists, for the guard and the reservation. */
	struct endpoint *listens;   /* n_services */
	struct endpoint *endpoints; /* n_backends, with duplicates */
	unsigned n_backends;
	struct ip_addr sources[SETUP_SOURCES_MAX]; /* distinct */
	unsigned n_sources;

	/* Flows in the state file that cannot go on, by what they lack. */
	uint32_t lost_service; /* it is not configured any more */
	uint32_t lost_room;    /* there are more backends than a service has */
};

/*
 * Flows in @state, those of an earlier process, may need more than what is
 * configured. A backend that is not configured any more becomes one of its
 * service with .gone set; a source address that is not, one of a second entry
 * of that backend, of weight 0.
 *
 * Addresses that are not on this host, and ways that are not there, may come
 * later: then the source toward a backend is unset (presence.h).
 */
int setup_new(struct setup **out, const struct config *config,
	      const struct state *state, struct netlink *nl, struct err *err);
void setup_free(struct setup *s);

/* An address of this host. */
bool setup_is_local(const struct ip_addr *addr, struct netlink *nl);

/*
 * Our address toward a backend as routes are now; the first one where the user
 * said which. -EADDRNOTAVAIL: the service's address is not there, on which it
 * depends. -ENETUNREACH and the like: there is no route.
 */
int setup_source(const struct service_config *service,
		 const struct endpoint *backend, struct netlink *nl,
		 struct ip_addr *out, struct err *err);

/* One more of .sources; *added: it was none. The last one goes again. */
int setup_add_source(struct setup *s, const struct ip_addr *addr, bool *added,
		     struct err *err);
void setup_remove_source(struct setup *s);

/*
 * The first of the PROBE_PORTS ports that half-open checks use. They are those
 * of the process before, or the topmost of the NAT range that no flow in @state
 * has; where every such block has flows, the one that has the fewest, as a
 * service must know of dead backends. 0: there are none. Flows never get them,
 * whether there are such checks now or only after a restart.
 */
uint16_t setup_probe_ports(const struct reservation *r,
			   const struct state *state);

/* Then none can be made; true if there would have been some. */
bool setup_without_syn_checks(struct setup *s);

/* True if the source toward some backend is not known yet. */
bool setup_has_unset(const struct setup *s);

/* True if a backend is on this host. */
bool setup_has_local_backend(const struct setup *s, struct netlink *nl);

/*
 * Kernel filters as pcap expressions; to be freed. NULL: no memory. One for
 * clients' SYNs of at most SETUP_SYN_MAX bytes, one for all else.
 */
#define SETUP_SYN_MAX 1600 /* IP bytes */
char *setup_syn_filter(const struct setup *s);
char *setup_filter(const struct setup *s, uint16_t nat_lo, uint16_t nat_hi);

#endif
