/* SPDX-License-Identifier: MIT */
/*
 * flow_log.h - one line in a file for each connection that has ended
 *
 * A thread of the worker reads the journal and appends what has ended since, at
 * most a twentieth of a second later. If the file cannot be written to, the
 * lines wait in the journal, and what has no room there is lost; the log says
 * so once, and where lines are missing one line says how many. l4lb itself
 * never waits for any of it.
 */
#ifndef L4LB_API_FLOW_LOG_H
#define L4LB_API_FLOW_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "api/flow_log_state.h"
#include "board/board.h"
#include "board/journal.h"
#include "core/err.h"

struct flow_log;

/* All of it stays the caller's, until flow_log_free(). */
struct flow_log_spec {
	const char *path; /* absolute */
	bool json;
	const struct board_reader *board;
	const struct journal_reader *journal;
	struct flow_log_state *state; /* shared with the next workers */
};

/*
 * Starts the thread. A file that cannot be opened is no failure: that is
 * logged, and tried again each second.
 */
int flow_log_start(struct flow_log **out, const struct flow_log_spec *spec,
		   struct err *err);

/*
 * l4lb is gone: writes what the journal still has, and ends the thread. Takes
 * as long as the disk does, but gives up after some seconds. flow_log_status()
 * may be asked until flow_log_free(). Both accept NULL.
 */
void flow_log_finish(struct flow_log *log);
void flow_log_free(struct flow_log *log);

/*
 * A handler for SIGHUP: all flow logs of the process open their file again,
 * because it was renamed. A SIGHUP of l4lb does the same, by the board.
 */
void flow_log_hup(int signal);

struct flow_log_status {
	uint64_t lines;	  /* written so far, also by earlier workers */
	uint64_t lost;	  /* lines that were lost */
	uint64_t records; /* records of any kind that were lost */
	uint64_t waiting; /* records that the journal has for us */
	uint64_t errors;  /* times that the file became unwritable */
	bool failing;	  /* it is unwritable now, and why */
	char trouble[ERR_TEXT_MAX];
};

void flow_log_status(struct flow_log *log, struct flow_log_status *out);

#endif
