/* SPDX-License-Identifier: MIT */
/* room.h - a place in the table and a port for a flow, if need be another's */
#ifndef L4LB_ROOM_H
#define L4LB_ROOM_H

#include "core/lifecycle.h"
#include "core/state.h"

/* False: the table is full, and nothing in it may be recycled. */
bool engine_make_room(struct engine *e);

/* The oldest half-open flow of that service goes, if there is one. */
void engine_recycle_half_open(struct engine *e, unsigned service);

/*
 * A pool that has a port toward @b, or -1. Recycles, if need be, from the lists
 * up to @last; but never @except.
 */
int engine_pick_pool(struct engine *e, struct backend *b, enum age_list last,
		     const struct flow *except);
struct endpoint engine_take_nat(struct engine *e, unsigned pool);

#endif
