/* SPDX-License-Identifier: MIT */
/* source.h - our address toward a backend that has an alternate source */
#ifndef L4LB_SOURCE_H
#define L4LB_SOURCE_H

#include "core/state.h"

/* Exchanges the source of @b and its alternate. */
void engine_swap_source(struct backend *b, uint64_t now_ns);

/* The same for good, if another service found that @b answers only that one. */
void engine_settle_source(struct engine *e, struct backend *b, uint64_t now_ns);

#endif
