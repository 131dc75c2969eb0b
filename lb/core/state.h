/* SPDX-License-Identifier: MIT */
/*
 * state.h - the private state of the engine, shared by its files
 *
 * Each file of the engine has its own header for what it does. They call each
 * other in one direction only, from the top of this list to the bottom (`make
 * check-layers` checks that):
 *
 *   new         allocates the tables        takeover  adopts old flows
 *   engine      one packet, one tick
 *   sweep       resets of many flows        checks    health checks, results
 *   handshake   until the SYN-ACK
 *   opening     a new flow
 *   room        places and ports
 *   lifecycle   states, lists, timers
 *   pending     the SYN that is kept
 *   half_open   our own check               evidence  outcomes of handshakes
 *   cut_off     backend or link silent?     away      what this host lacks
 *   ways        the link toward a backend   source    our address toward it
 *   say         what the engine originates  lookup    services, pools
 */
#ifndef L4LB_STATE_H
#define L4LB_STATE_H

#include <arpa/inet.h>

#include "core/engine.h"

static inline void engine_notify(struct engine *e, enum flow_event event,
				 const struct flow *flow)
{
	if (e->on_flow)
		e->on_flow(e->on_arg, event, flow);
}

static inline void engine_tell(struct engine *e, enum backend_event event,
			       const struct backend *b, enum check_result why)
{
	if (e->on_backend)
		e->on_backend(e->on_arg, event, b->service, b->index, why);
}

#endif
