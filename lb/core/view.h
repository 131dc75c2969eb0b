/* SPDX-License-Identifier: MIT */
/*
 * view.h - what the engine shows of itself
 *
 * For logs, dumps and decisions outside; none of it is for the path of a
 * packet. Counters and flows are the engine's own, to be read only, and change
 * with each call; the rest are snapshots.
 */
#ifndef L4LB_VIEW_H
#define L4LB_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/counters.h"
#include "core/drop.h"
#include "core/flow.h"
#include "core/params.h"
#include "core/slot.h"

struct engine;

struct engine_counters {
	uint64_t received;  /* = forwarded + consumed + the sum of dropped */
	uint64_t forwarded; /* packets; super-packets count once */
	uint64_t consumed;
	uint64_t dropped[DROP_REASONS];
	uint64_t originated;	  /* segments put into the outbox */
	uint64_t outbox_lost;	  /* not put there: outbox full */
	uint64_t answers_spared;  /* this pair of ends had its answers */
	uint64_t answers_limited; /* resets and ACKs above the limit */
	uint64_t out_of_window;	  /* forwarded, but changed nothing */
	uint64_t bad_rst;	  /* the same for resets */
	uint64_t recycled_closed, recycled_half_open, recycled_half_closed;
	uint64_t expired;      /* idle, and not closed before */
	uint64_t redispatched; /* SYNs sent to another backend */
	uint64_t repaired;     /* answers for an earlier connection */
	uint64_t reset;	       /* flows that we ended by resets */
	uint64_t unheard;      /* silences excused: see hearing.h */
	uint64_t unreached;    /* silences while this host had no route */
	uint64_t cut_off;      /* silences while the link was silent */
};

/* Valid as long as the engine. */
const struct engine_counters *engine_counters(const struct engine *e);
const struct flow_table *engine_flows(const struct engine *e);

/*
 * Of one slot, all zero while it is free; and the requests of all services,
 * also of those whose slots are free now. Valid until the slot is given to
 * another.
 */
const struct service_counters *engine_service_counters(const struct engine *e,
						       unsigned service);
const struct backend_counters *engine_backend_counters(const struct engine *e,
						       unsigned service,
						       unsigned backend);
const struct service_counters *engine_request_counters(const struct engine *e);

/* Slots in use so far: some of these may be free (core/slot.h). */
unsigned engine_services(const struct engine *e);
unsigned engine_backends(const struct engine *e, unsigned service);

struct service_view {
	enum slot slot; /* SLOT_FREE: nothing else is set */
	struct endpoint listen;
	struct service_params params;
	bool away;	     /* its address is not on this host now */
	uint64_t since_ns;   /* it became SLOT_LIVE */
	unsigned n_backends; /* as engine_backends() */
	uint32_t half_open, half_open_limit;
};

struct service_view engine_view_service(const struct engine *e,
					unsigned service);

struct backend_view {
	enum slot slot; /* SLOT_FREE: nothing else is set */
	struct endpoint addr;
	struct ip_addr source;	  /* our first toward it; unset: no route yet */
	struct ip_addr alternate; /* may replace @source; unset: none */
	struct backend_params params;
	bool up;      /* by its checks */
	bool proven;  /* else a newcomer before its first check */
	bool gone;    /* it leaves: keeps its old flows */
	bool ejected; /* its breaker is open */
	enum breaker_state breaker;
	/* The latest change of what is above: up or not, proven, and its
	 * breaker closed or not.
	 */
	uint64_t since_ns;
	uint64_t downtime_ns;	/* that its checks found it down, until now */
	bool takes_flows;	/* new connections may go to it now */
	bool answered;		/* @source, ever; or it has old flows */
	bool checked;		/* its checks run now */
	enum check_result last; /* of its checks */
	uint32_t streak;	/* of results that contradict @up */
	uint32_t backoff_ms;	/* the latest of its breaker; 0: none */
	uint32_t flows;		/* open now: neither TIME_WAIT nor RESET */
	uint32_t refs;		/* flows that name it, closed ones too */
	uint64_t total;		/* flows opened so far */
	uint64_t failed;	/* of these, refused or never answered */
};

struct backend_view engine_view_backend(const struct engine *e,
					unsigned service, unsigned backend,
					uint64_t now_ns);

/* The NAT ports of a pair of ends. Those of flows that may be recycled are
 * free.
 */
struct pool_view {
	struct ip_addr source; /* unset: no route yet */
	struct endpoint backend;
	/* @size 0: the place is free. @recyclable: ports that are in use, but
	 * count as free.
	 */
	uint32_t used, recyclable, size;
	unsigned holders; /* backends that have it as a source */
	unsigned used_percent;
};

/* Places in use so far; some of these may be free. */
unsigned engine_pools(const struct engine *e);
struct pool_view engine_view_pool(const struct engine *e, unsigned pool);

/* The one that has used most of its own. */
struct pool_view engine_fullest_pool(const struct engine *e);

/* Since when the links have been silent, for BACKEND_HEARD and before. */
uint64_t engine_cut_since_ns(const struct engine *e);

/*
 * For a child process that shows its engine while the parent, with whom it
 * shares the memory of the flows, goes on: copies them to @copy, zeroed memory
 * for as many. Flows that change while they are copied are left out. From then
 * on the engine of the child has the copies, and counts what it has.
 */
void engine_freeze(struct engine *e, struct flow *copy);

#endif
