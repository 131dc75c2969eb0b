/* SPDX-License-Identifier: MIT */
/* source.h - our address toward a backend that has an alternate source */
#ifndef L4LB_SOURCE_H
#define L4LB_SOURCE_H

#include "core/state.h"

/* Exchanges the source of @b and its alternate. */
void engine_swap_source(struct backend *b, uint64_t now_ns);

/*
 * The same, because the source is not answered. If the alternate is away, the
 * engine wants it instead (engine_next_wanted()).
 */
void engine_try_alternate(struct engine *e, struct backend *b, uint64_t now_ns);

/* Swaps for good if another service found that @b answers only that one. */
void engine_settle_source(struct engine *e, struct backend *b, uint64_t now_ns);

#endif
