/* SPDX-License-Identifier: MIT */
/*
 * flow_log_state.h - how far the flow log is, kept where a worker's end leaves
 * it
 *
 * The struct lies in memory that the keeper shares with its workers. Zeroed, it
 * says that nothing is written yet. One worker at a time writes to it, others
 * of its threads read the counters. It is always such that a worker that is
 * killed between any two stores leaves behind what the next one needs to go on
 * without losing or repeating a line: see flow_log_file.c.
 */
#ifndef L4LB_API_FLOW_LOG_STATE_H
#define L4LB_API_FLOW_LOG_STATE_H

#include <stdatomic.h>
#include <stdint.h>

/* How far the log is: struct journal_cursor, and the lines so far. */
struct flow_log_position {
	_Atomic uint64_t next, lost, ends, lost_ends;
	_Atomic uint64_t lines; /* of ended flows */
};

/* A write that is about to be made. */
struct flow_log_intent {
	uint64_t device, inode; /* of the file */
	uint64_t size;		/* of the file before it */
	uint64_t bytes;		/* that it appends */
	struct flow_log_position after;
};

struct flow_log_state {
	struct flow_log_position done; /* what the file has */
	/* 0: none; else 1 + index of the intent that is under way. */
	_Atomic uint32_t under_way;
	struct flow_log_intent intents[2];
	_Atomic uint64_t errors;  /* times that the file became unwritable */
	_Atomic uint32_t failing; /* it is unwritable now */
};

#endif
