/* SPDX-License-Identifier: MIT */
/*
 * events.h - logs what happens to backends and flows
 *
 * One line for each change.
 */
#ifndef L4LB_EVENTS_H
#define L4LB_EVENTS_H

#include "control/config.h"
#include "core/engine.h"

/* @why: as in engine_spec.on_backend. */
void events_backend(const struct config *config, const struct engine *engine,
		    enum backend_event event, const struct backend *b,
		    enum check_result why, uint64_t now_ns);

/* Same as engine_spec.on_flow; only at -v and more. @arg is unused. */
void events_flow(void *arg, enum flow_event event, const struct flow *f);

#endif
