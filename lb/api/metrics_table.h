/* SPDX-License-Identifier: MIT */
/*
 * metrics_table.h - what each metric is, and where its number lies
 *
 * Nearly all are numbers in a row of the board, so a metric is a line of a
 * table: of which row, at which offset, of which type. Where a row has one for
 * each direction, reason or state, they lie beside each other, and a label
 * tells them apart. Private to metrics*.c.
 */
#ifndef L4LB_API_METRICS_TABLE_H
#define L4LB_API_METRICS_TABLE_H

#include "api/metrics.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* One series (or one for each .of_label) for each... */
enum metric_of {
	OF_GLOBAL,
	OF_SERVICE,
	OF_BACKEND,
	OF_POOL,
	OF_TAP,
	OF_NOTHING, /* .print prints it */
};

enum metric_form {
	FORM_U64,
	FORM_U32,
	FORM_U8,
	FORM_NS,	/* uint64_t, shown in seconds */
	FORM_HISTOGRAM, /* struct histogram */
	FORM_IS,	/* uint8_t, shown as 1 if it is .from + i, else 0 */
};

/* Prints the lines of a metric whose numbers are in no row as they are. */
typedef void metric_print_fn(struct text *out,
			     const struct metrics_source *from,
			     const char *name);

struct metric {
	const char *name; /* without l4lb_ */
	enum metric_type type;
	unsigned scope; /* METRICS_* */
	const char *help;
	enum metric_of of;
	enum metric_form form;
	size_t offset; /* in the row */
	/* One series for each value of a label, .n of them from .from on. */
	const char *label; /* NULL: a single one */
	const char *(*label_name)(unsigned i);
	unsigned from, n;
	metric_print_fn *print;
	const char *labels; /* of .print, for people */
};

extern const struct metric metrics_table[];
extern const unsigned metrics_table_len;

/* The metrics whose numbers are in no row: metrics_own.c. */
metric_print_fn metric_build_info, metric_start_time, metric_packets,
	metric_flows, metric_loop_busy, metric_journal_lost, metric_log_lines,
	metric_log_lost, metric_log_errors, metric_log_failing, metric_requests,
	metric_service_backends, metric_silences, metric_ring_captured,
	metric_ring_dropped;

/* @ns as seconds, exactly. */
void metric_add_seconds(struct text *out, uint64_t ns);

#endif
