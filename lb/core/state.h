/* SPDX-License-Identifier: MIT */
/*
 * state.h - the private state of the engine, shared by its files
 *
 * Each file of the engine has its own header for what it does. They call each
 * other in one direction only, from the top of this list to the bottom (`make
 * check-layers` checks that):
 *
 *   new         allocates the tables        takeover  adopts old flows
 *   change      what changes while it runs  slots     fills and empties slots
 *   engine      one packet, one tick
 *   sweep       resets of many flows        active    health checks, results
 *   handshake   until the SYN-ACK
 *   opening     a new flow
 *   room        places and ports
 *   lifecycle   states, lists, timers       drain     who is to lose its flows
 *   counting    what is counted of flows, and noted
 *   pending     the SYN that is kept
 *   half_open   our own check               evidence  outcomes of handshakes
 *   cut_off     backend or link silent?     away      what this host lacks
 *   ways        the link toward a backend   source    our address toward it
 *   pools       who has which NAT ports
 *   say         what the engine originates  lookup    services, pools
 *   view        what others may see
 *
 * Nobody outside lb/core includes this header, but tests/rig (`make
 * check-layers`).
 */
#ifndef L4LB_STATE_H
#define L4LB_STATE_H

#include <arpa/inet.h>

#include "core/answers.h"
#include "core/engine.h"
#include "core/flow.h"
#include "core/health/hearing.h"
#include "core/icmp.h"
#include "core/packet.h"
#include "core/pending.h"
#include "core/ports.h"
#include "core/random.h"
#include "core/segment.h"
#include "core/service.h"
#include "core/syn_gate.h"
#include "core/time.h"
#include "core/view.h"

#define ENGINE_PROBES_MAX 256 /* waiting to be carried out */

/* One of our addresses toward one backend, and its NAT ports. */
struct pool {
	struct ip_addr source;
	struct endpoint backend;
	struct port_pool ports;
	uint32_t recyclable; /* ports of closed and half-open flows */
	bool away;	     /* the source is unset, or not on this host now */
	uint8_t next_probe;  /* next port for a half-open check */
	struct half_open *checks; /* PROBE_PORTS */
	bool answered;		  /* the backend did once, or has old flows */
	int16_t link;		  /* in engine.links, or WAY_IS_... (ways.h) */
	uint16_t holders;	  /* backends that have it as a source */
	uint64_t left_ns;	  /* when the last of them let it go */
};

/* A link that leads to backends. */
struct way_link {
	int id;	       /* the program's */
	unsigned ways; /* pools that use it; 0: the place is free */
	uint64_t heard_ns;
	bool ask; /* its neighbours should be made to answer */
};

/* A half-open check under way: one for each pool and probe port. */
struct half_open {
	uint32_t isn;
	uint16_t service, backend;
	bool running;
	bool repeated;
};

/* A check by a socket that waits to be carried out: see probe_request. */
struct asked_probe {
	uint16_t service, backend;
	uint32_t number;
};

struct engine {
	struct flow_table table;
	struct wheel wheel;
	struct list_node *wheel_nodes;
	/* Flows that may be recycled, oldest first: one list of closed, one of
	 * half-closed, one of half-open flows for each service; and the same
	 * three for each pool.
	 */
	struct list_node *age_nodes, *pool_nodes;
	struct pending_table pending;
	uint32_t sweep_left, sweep_at; /* flows left to visit; the next */
	uint32_t reset_at; /* the next flow for engine_reset_all() */
	uint32_t retime_left, retime_at; /* the same for new timeouts */
	/* Slots in use so far, with holes; and all that there are. */
	struct service *services;
	unsigned n_services, services_max;
	unsigned leaving;     /* slots of both kinds that are SLOT_LEAVING */
	uint64_t left_totals; /* flows opened in slots that are free now */
	struct pool *pools;
	uint16_t *pool_order; /* sorted indices: engine_find_pool() */
	unsigned n_pools, n_ordered, pools_max;
	uint16_t *ports; /* the NAT ports, for pools to come */
	uint32_t n_ports;
	bool runs;	    /* engine_new() is over */
	bool gathers;	    /* engine_begin_changes() */
	uint64_t ticked_ns; /* the last tick */
	struct engine_timeouts timeouts;
	struct answers answers; /* per pair of ends, for all limits below */
	struct answer_limit limit_stray; /* RSTs to packets without a flow */
	struct answer_limit limit_challenge; /* ACKs to SYNs in open flows */
	struct answer_limit limit_reply;     /* RSTs to backends' strays */
	struct answer_limit
		limit_refused; /* RSTs to SYNs for which there is no place */
	struct answer_limit
		limit_killed; /* RSTs to packets of flows we reset */
	struct segment outbox[ENGINE_OUTBOX_MAX];
	unsigned outbox_head, outbox_used;
	struct engine_counters counters;
	struct service_counters requests; /* of all services so far */
	void (*on_flow)(void *arg, enum flow_event event,
			const struct flow *flow, const struct flow_note *note);
	void (*on_refused)(void *arg, unsigned service,
			   const struct endpoint *client, enum drop_reason why);
	void (*on_backend)(void *arg, enum backend_event event,
			   unsigned service, unsigned backend,
			   enum check_result why);
	void *on_arg;
	struct way_link links[ENGINE_LINKS_MAX];
	unsigned n_links;      /* places in use so far */
	unsigned link_hint;    /* where engine_link_heard() begins */
	struct ip_addr wanted; /* see engine_next_wanted(); unset: none */
	unsigned cut_off;      /* backends whose link is silent too */
	uint64_t cut_since_ns; /* announced then; 0: not cut off */
	uint64_t over_ns;      /* end of the last such silence; 0: none */
	struct hearing hearing;
	struct syn_gate gate;
	struct random random; /* jitter, sequence numbers of checks */
	uint64_t checks_due_ns;
	uint8_t nat_ports[8192]; /* bitmap: ports of the pools */
	uint16_t probe_lo;
	unsigned checks_from; /* service whose checks ran first last time */
	struct asked_probe probes[ENGINE_PROBES_MAX];
	unsigned probes_head, probes_used;
};

static inline struct backend *engine_backend(const struct engine *e,
					     const struct flow *f)
{
	return &e->services[f->service].backends[f->backend];
}

static inline void engine_notify(struct engine *e, enum flow_event event,
				 const struct flow *flow)
{
	if (e->on_flow)
		e->on_flow(e->on_arg, event, flow, flow_note(&e->table, flow));
}

static inline void engine_tell(struct engine *e, enum backend_event event,
			       const struct backend *b, enum check_result why)
{
	if (e->on_backend)
		e->on_backend(e->on_arg, event, b->service, b->index, why);
}

#endif
