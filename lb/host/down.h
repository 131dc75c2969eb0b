/* SPDX-License-Identifier: MIT */
/*
 * down.h - gives up what an instance that does not run has left
 *
 * That is the guard, the reserved ports, the record of them, and the flow table
 * and socket at their default paths: what a crash, or an exit that keeps the
 * guard, leaves to the next start.
 */
#ifndef L4LB_DOWN_H
#define L4LB_DOWN_H

#include "core/err.h"

/*
 * Works also if there is nothing. -EADDRINUSE: the instance runs; nothing is
 * changed. Others as of guard_down() and reserve_clear().
 */
int down_instance(const char *name, struct err *err);

#endif
