/* SPDX-License-Identifier: MIT */
/*
 * balancer.h - the real engine, and in place of the program around it: a
 * clock, a builder of originated segments, probes, restarts
 */
#ifndef L4LB_SIM_BALANCER_H
#define L4LB_SIM_BALANCER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/engine.h"
#include "core/segment.h"
#include "plan.h"

struct seen_flow {
	uint64_t id;
	uint8_t state, flags;
	struct flow_pair reply;
};

struct balancer {
	struct engine *e; /* NULL: not running */
	struct flow *flows;
	uint64_t ahead;	       /* of the world's clock */
	uint64_t armed;	       /* time of the next EV_LB_TIMER */
	uint64_t frozen_until; /* the machine is suspended */
	/* Its rings overflow, of which it is told; both 0: never. */
	uint64_t deaf_from, deaf_until;
	uint64_t well_from; /* neither suspended nor jumped since then */
	/* Nothing comes through to backends and back; both 0: never. */
	uint64_t cut_from, cut_until;
	uint64_t started;
	uint64_t heard; /* anything from where backends are, its own clock */
	uint64_t sent;	/* packets that left */
	uint64_t translated; /* ICMP errors that did */
	/* What the engine has told of flows: begun again and adopted ones are
	 * opened, too; and of SYNs that opened none.
	 */
	uint64_t opened, ended, refused[DROP_REASONS];
	uint64_t left_packets;	/* of backends whose slots are free */
	uint64_t killed;	/* the flow that is being killed; 0: none */
	bool leaving;		/* all flows are being reset */
	bool touched;		/* the engine was called in this step */
	struct seen_flow *seen; /* as judge.c saw them last */
	uint32_t half_open[PLAN_ALL]; /* the same */
};

struct world;
struct pkt;

int balancer_start(struct world *w);
void balancer_stop(struct world *w);
void balancer_free(struct world *w);

/* kill -9, and a new process @after ns, perhaps with another configuration. */
void balancer_kill(struct world *w, uint64_t after);
/* A clean exit in guard mode auto: all flows are reset; and a new process. */
void balancer_exit(struct world *w, uint64_t after);
void balancer_back(struct world *w);

/* Takes @p. */
void balancer_receive(struct world *w, struct pkt *p);
void balancer_timer(struct world *w);
void balancer_probe_result(struct world *w, uint32_t which, uint32_t number);

/* The slot of a backend is about to be free. */
void balancer_leaves(struct world *w, unsigned service, unsigned backend);

/* After something was changed. */
void balancer_changed(struct world *w);

/* The whole side of the backends is away. */
void balancer_cut(struct world *w, uint64_t for_ns);
bool balancer_is_cut(const struct world *w);
/* A neighbour there answers, if one is there. */
void balancer_neighbours(struct world *w);

/* Not all that comes is heard. */
bool balancer_is_deaf(const struct world *w);

/* The host of a slot's address; NULL: there is none. */
const struct host *balancer_host(const struct world *w, unsigned service,
				 unsigned backend);

/* The engine's clock. */
uint64_t balancer_now(const struct world *w);

#endif
