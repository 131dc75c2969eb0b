/* SPDX-License-Identifier: MIT */
/* opening.h - a new flow: which backend, which of our addresses and ports */
#ifndef L4LB_OPENING_H
#define L4LB_OPENING_H

#include "core/state.h"

/*
 * A backend of @s, not in @tried, and a pool that has a port toward it.
 * Recycles closed and half-open flows, then half-closed ones, where no backend
 * has a port without; but never @except.
 */
struct backend *engine_pick(struct engine *e, struct service *s,
			    const struct backend_set *tried,
			    const struct flow *except, int *pool,
			    enum drop_reason *why, uint64_t now_ns);

/* A new flow for the SYN @p, or NULL and why not. */
struct flow *engine_open_flow(struct engine *e, unsigned service,
			      const struct packet *p, uint64_t now_ns,
			      enum drop_reason *why);

#endif
