/* SPDX-License-Identifier: MIT */
/*
 * originate.h - what the engine says on its own account, onto the wire
 *
 * libnet builds each segment, checksums included; they are sent as forwarded
 * packets are, many in one system call and by the lane that inject.c chose.
 * Nobody sends these again if they are lost here, and a side that stays silent
 * would never learn that it was reset: so what finds no room is kept.
 */
#ifndef L4LB_ORIGINATE_H
#define L4LB_ORIGINATE_H

#include "core/err.h"
#include "io/inject.h"

struct originator;

int originator_new(struct originator **out, struct err *err);
void originator_free(struct originator *o);

/* As inject_segments(), with the lane of each one chosen. */
unsigned originator_send(struct originator *o, struct outgoing *out, unsigned n,
			 struct inject_counters *counters);

#endif
