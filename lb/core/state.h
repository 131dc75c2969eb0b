/* SPDX-License-Identifier: MIT */
/*
 * state.h - the engine from inside: what every part of it knows
 *
 * Private to the engine's own files. Each of them has a header of its own for
 * what it does. They call each other in one direction only, from the top of
 * this list to the bottom (`make check-layers` holds them to it):
 *
 *   new         its tables                  takeover  flows of an earlier process
 *   engine      one packet, one tick
 *   sweep       resets of many flows        checks    who is asked, and results
 *   handshake   until the SYN-ACK
 *   opening     a new flow
 *   room        places and ports
 *   lifecycle   states, lists, timers
 *   pending     the SYN that is kept
 *   half_open   our own check               evidence  what traffic says
 *   cut_off     whose silence it is         away      what this host has not
 *   source      which address of ours
 *   say         what we say ourselves       lookup    who is where
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
		e->on_backend(e->on_arg, event, b, why);
}

#endif
