/* SPDX-License-Identifier: MIT */
/*
 * metrics.h - the board's numbers in Prometheus's text format 0.0.4
 *
 * One table has all metrics (metrics_table.c); docs/metrics.md shows the same,
 * and a test compares both. Pure: bytes of a snapshot in, text out.
 */
#ifndef L4LB_API_METRICS_H
#define L4LB_API_METRICS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/flow_log.h"
#include "api/snapshot.h"
#include "control/text.h"
#include "core/err.h"
#include "core/tcp_track.h"

/* What a scrape asks for: ?scope=global,service,backend&histograms=0 */
#define METRICS_GLOBAL	   1u
#define METRICS_SERVICE	   2u
#define METRICS_BACKEND	   4u
#define METRICS_HISTOGRAMS 8u
#define METRICS_ALL	   15u

/* Numbers that are not on the board; what is NULL is not shown. */
struct metrics_source {
	const struct snapshot *shot;
	uint64_t now_ns;
	const uint64_t *flows;		   /* TCP_STATES: open flows by state */
	const struct flow_log_status *log; /* of the flow log */
	const _Atomic uint64_t *replies;   /* of the API by status */
	unsigned n_replies;
};

void metrics_print(struct text *out, const struct metrics_source *from,
		   unsigned what);

/*
 * Reads the two parameters of a query; NULL: not given. -EINVAL, @err says
 * which words are right.
 */
int metrics_what(const char *scope, const char *histograms, unsigned *what,
		 struct err *err);

/* The table for people: a line "| name | type | labels | meaning |" each. */
void metrics_describe(struct text *out);

#endif
