/* SPDX-License-Identifier: MIT */
/*
 * events.h - what the log says of backends and flows that go and come
 *
 * One line for each change, none for what stays as it is.
 */
#ifndef L4LB_EVENTS_H
#define L4LB_EVENTS_H

#include "control/config.h"
#include "core/engine.h"

/* @why: as of engine_spec.on_backend */
void events_backend(const struct config *config, const struct engine *engine,
		    enum backend_event event, const struct backend *b,
		    enum check_result why, uint64_t now_ns);

/* As engine_spec.on_flow; at -v and more. @arg is not used. */
void events_flow(void *arg, enum flow_event event, const struct flow *f);

#endif
