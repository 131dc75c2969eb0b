/* SPDX-License-Identifier: MIT */
/* drain.h - backends that are to lose their flows */
#ifndef L4LB_DRAIN_H
#define L4LB_DRAIN_H

#include "core/state.h"

/*
 * Begins or ends what the flows of @b are to suffer by its slot, by what the
 * administrator wants of it, and by the parameters of its service. @anew: what
 * is wanted has changed, so times count from now.
 */
void engine_settle_drain(struct engine *e, struct backend *b, bool anew,
			 uint64_t now_ns);

/* Why a sweep ends the flows of @b. */
enum flow_end engine_sweep_end(const struct engine *e, const struct backend *b);

/* Resets the flows of @b if its drain time is over. */
void engine_run_drain(struct engine *e, struct backend *b, uint64_t now_ns);

#endif
