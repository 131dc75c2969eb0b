/* SPDX-License-Identifier: MIT */
/* source.h - from which of our addresses a backend is reached */
#ifndef L4LB_SOURCE_H
#define L4LB_SOURCE_H

#include "core/state.h"

/* From now on @b is reached from its other source. */
void engine_swap_source(struct backend *b, uint64_t now_ns);

/* And at once, if another service has found that it answers that one only. */
void engine_settle_source(struct engine *e, struct backend *b, uint64_t now_ns);

#endif
