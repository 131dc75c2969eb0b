/* SPDX-License-Identifier: MIT */
/* sweep.h - resets many flows: of a dead backend, or all at a clean exit */
#ifndef L4LB_SWEEP_H
#define L4LB_SWEEP_H

#include "core/state.h"

/* Resets some flows of backends marked for it; false if none are left. */
bool engine_sweep(struct engine *e, uint64_t now_ns);

/* The timeouts have changed: sets the timers of some flows by them. */
void engine_retime(struct engine *e);

#endif
