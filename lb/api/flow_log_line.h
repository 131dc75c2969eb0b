/* SPDX-License-Identifier: MIT */
/*
 * flow_log_line.h - what the flow log says of a flow, as text or as JSON
 *
 * One line for each flow that has ended (docs/metrics.md has the keys). Pure.
 */
#ifndef L4LB_API_FLOW_LOG_LINE_H
#define L4LB_API_FLOW_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "board/journal.h"

#define FLOW_LOG_LINE_MAX 768 /* bytes with the newline */
#define WALL_TEXT_MAX	  32

/* "2026-11-29T06:25:50.123Z" of a time in ns since 1970. */
const char *wall_format(uint64_t wall_ns, char text[WALL_TEXT_MAX]);

struct flow_log_style {
	bool json;
	int64_t wall_offset_ns; /* of the board: time of day = time + this */
};

/*
 * Writes the line of a record of kind JOURNAL_ENDED, with its newline, and
 * returns its length. @service, @backend: its names, as in the configuration.
 */
size_t flow_log_line(char out[FLOW_LOG_LINE_MAX],
		     const struct journal_record *r, const char *service,
		     const char *backend, const struct flow_log_style *style);

/* The line in the place of @lost lines; @time_ns: of clock_now_ns(). */
size_t flow_log_lost_line(char out[FLOW_LOG_LINE_MAX], uint64_t lost,
			  uint64_t time_ns, const struct flow_log_style *style);

#endif
