/* SPDX-License-Identifier: MIT */
/* room.h - makes room for a new flow: a place in the table, a port */
#ifndef L4LB_ROOM_H
#define L4LB_ROOM_H

#include "core/lifecycle.h"
#include "core/state.h"

/* False: the table is full, and no flow may be recycled. */
bool engine_make_room(struct engine *e);

/* Recycles the oldest half-open flow of the service, if there is one. */
void engine_recycle_half_open(struct engine *e, unsigned service);

/*
 * A pool with a port toward @b, or -1. If necessary, recycles flows from the
 * lists up to @last, but never @except.
 */
int engine_pick_pool(struct engine *e, struct backend *b, enum age_list last,
		     const struct flow *except);
struct endpoint engine_take_nat(struct engine *e, unsigned pool);

#endif
