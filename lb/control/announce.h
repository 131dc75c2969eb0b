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

/* Same as engine_spec.on_flow; only at -v and more. @arg is unused. */
void announce_flow(void *arg, enum flow_event event, const struct flow *f);

#endif
