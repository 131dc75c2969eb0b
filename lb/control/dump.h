/* SPDX-License-Identifier: MIT */
/*
 * dump.h - prints the flow table and the counters
 *
 * The format is a contract: one record per line, columns separated by spaces,
 * header lines begin with #.
 */
#ifndef L4LB_DUMP_H
#define L4LB_DUMP_H

#include <stdint.h>
#include <stdio.h>

#include "core/engine.h"

/* Returns -1 with errno on a write error. Times are on the engine's clock. */
int dump_flows(FILE *out, const struct engine *e, uint64_t now_ns,
	       uint64_t started_ns);

/* Writes "forwarded 12 dropped 3 (out-of-state 2, ttl 1) ..." into @text. */
void dump_counters(const struct engine *e, char *text, size_t size);

#endif
