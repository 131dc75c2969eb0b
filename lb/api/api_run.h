/* SPDX-License-Identifier: MIT */
/*
 * api_run.h - what a worker of l4lb-api works with
 *
 * l4lb-api is two processes. The first one, l4lb-keep, maps what l4lb gives it
 * (board/handover.h), closes those descriptors, gives up every privilege, and
 * then does nothing but to fork the worker again when it dies. The worker is
 * all the rest: it calls api_run().
 */
#ifndef L4LB_API_RUN_H
#define L4LB_API_RUN_H

#include <stddef.h>
#include <stdint.h>

#include "api/flow_log_state.h"
#include "board/handover.h"

/* Mapped read-only; .at NULL: l4lb has none. */
struct api_memory {
	const void *at;
	size_t bytes;
};

/* Outlives a worker: shared with the keeper and the next ones. Zeroed first. */
struct api_shared {
	_Atomic uint32_t workers; /* started so far, with this one */
	struct flow_log_state flow_log;
};

struct api_setup {
	const struct handover *told;
	/* Channels to l4lb; a reply to an earlier worker may wait in them. */
	int asks, changes;
	int local_listener, tcp_listener; /* -1: none */
	struct api_memory board, journal, notes;
	struct api_memory flows; /* from the first flow on */
	struct api_shared *shared;
};

/*
 * The worker. Returns 0 once l4lb is gone (its end of a channel is closed) and
 * what was left to write is written. Anything else, or a death, and the keeper
 * starts another worker.
 *
 * SIGTERM, SIGINT and SIGPIPE are ignored: it ends with l4lb, not before it,
 * also if somebody ends the whole process group.
 */
int api_run(const struct api_setup *setup);

#endif
