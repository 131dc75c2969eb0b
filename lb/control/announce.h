/* SPDX-License-Identifier: MIT */
/*
 * announce.h - logs what happens to backends and flows
 *
 * One line for each change.
 */
#ifndef L4LB_ANNOUNCE_H
#define L4LB_ANNOUNCE_H

#include "control/config.h"
#include "core/engine.h"

/* @why: as in engine_spec.on_backend. */
void announce_backend(const struct config *config, const struct engine *engine,
		      enum backend_event event, unsigned service,
		      unsigned backend, enum check_result why, uint64_t now_ns);

/* As engine_spec.on_flow; only at -v and more. */
void announce_flow(enum flow_event event, const struct flow *f,
		   const struct flow_note *note);

#endif
