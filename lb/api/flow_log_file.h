/* SPDX-License-Identifier: MIT */
/*
 * flow_log_file.h - the file of the flow log: whole lines, each of them once
 *
 * Lines are appended in batches, by one write() each. A batch says for each of
 * its lines how far in the journal the log is with it, so that a disk that
 * takes only a part of the batch costs nothing: the file is cut after the last
 * whole line, and the rest stays in the journal until there is room.
 *
 * For one thread.
 */
#ifndef L4LB_API_FLOW_LOG_FILE_H
#define L4LB_API_FLOW_LOG_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/flow_log_line.h"
#include "api/flow_log_state.h"
#include "board/journal.h"
#include "core/err.h"

#define FLOW_LOG_BATCH_LINES 256

/* How far the log is: see struct flow_log_position. */
struct flow_log_mark {
	struct journal_cursor at;
	uint64_t lines;
};

struct flow_log_batch {
	char text[FLOW_LOG_BATCH_LINES * FLOW_LOG_LINE_MAX];
	size_t len;
	unsigned n; /* lines */
	struct {
		size_t end; /* of the line in the text, after its newline */
		struct flow_log_mark mark;
	} lines[FLOW_LOG_BATCH_LINES];
	struct flow_log_mark mark; /* after the last record, line or not */
};

struct flow_log_file {
	const char *path; /* owned by the caller */
	int fd;		  /* -1: not open */
	struct flow_log_state *state;
};

/* An empty batch that begins where the log is. */
void flow_log_batch_begin(struct flow_log_batch *b,
			  const struct flow_log_state *state);

/* True if there is room for two lines: a record may need as many. */
bool flow_log_batch_has_room(const struct flow_log_batch *b);

/*
 * Adds a line of @len bytes, its newline included, at most FLOW_LOG_LINE_MAX;
 * after it the log is at @mark.
 */
void flow_log_batch_add(struct flow_log_batch *b, const char *line, size_t len,
			const struct flow_log_mark *mark);

/*
 * Opens the file, or creates it with mode 0640, for this process alone. Then
 * settles the write during which an earlier worker was killed, if any. Returns
 * 0, or a negative errno with @err set.
 */
int flow_log_file_open(struct flow_log_file *f, struct err *err);

/*
 * Appends the batch. On a failure, the lines that were written before count as
 * written, and the file is open no more.
 */
int flow_log_file_write(struct flow_log_file *f, const struct flow_log_batch *b,
			struct err *err);

/* May be called when it is not open. */
void flow_log_file_close(struct flow_log_file *f);

#endif
