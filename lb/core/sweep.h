/* SPDX-License-Identifier: MIT */
/* sweep.h - resets of many flows: of a dead backend, and all at a clean exit */
#ifndef L4LB_SWEEP_H
#define L4LB_SWEEP_H

#include "core/state.h"

/* Resets some flows of backends that are to be swept; false: nothing to do. */
bool engine_sweep(struct engine *e, uint64_t now_ns);

#endif
