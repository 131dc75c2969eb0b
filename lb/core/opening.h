/* SPDX-License-Identifier: MIT */
/* opening.h - opens a flow: chooses its backend, our address and port */
#ifndef L4LB_OPENING_H
#define L4LB_OPENING_H

#include "core/state.h"

/*
 * Chooses a backend of @s, not in @tried, and a pool with a port toward it. If
 * no backend has a free port, recycles closed and half-open flows, then
 * half-closed ones, but never @except.
 */
struct backend *engine_pick(struct engine *e, struct service *s,
			    const struct backend_set *tried,
			    const struct flow *except, int *pool,
			    enum drop_reason *why, uint64_t now_ns);

/* Opens a flow for the SYN @p; NULL with the reason in *why. */
struct flow *engine_open_flow(struct engine *e, unsigned service,
			      const struct packet *p, uint64_t now_ns,
			      enum drop_reason *why);

#endif
