/* SPDX-License-Identifier: MIT */
/*
 * originate.h - sends what the engine originates
 *
 * libnet builds each segment with its checksums. Segments leave as forwarded
 * packets do: many in one system call, by the lane that inject.c chose. Nobody
 * retransmits these segments, and a silent side would never learn that it was
 * reset. So a segment that finds no room is kept.
 */
#ifndef L4LB_ORIGINATE_H
#define L4LB_ORIGINATE_H

#include "core/err.h"
#include "io/inject.h"

struct originator;

int originator_new(struct originator **out, struct err *err);
void originator_free(struct originator *o);

/* As inject_segments(); the caller has chosen the lane of each segment. */
unsigned originator_send(struct originator *o, struct outgoing *out, unsigned n,
			 struct inject_counters *counters);

#endif
