/* SPDX-License-Identifier: MIT */
/*
 * dumper.h - writes the flow dump to stdout, in a child
 *
 * The dump may be long and stdout may be a stopped terminal. A child writes it,
 * so forwarding goes on. There is one child at a time, the only one of l4lb.
 */
#ifndef L4LB_DUMPER_H
#define L4LB_DUMPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/engine.h"

/* Zeroed: none is written. */
struct dumper {
	pid_t pid;	   /* the child that writes, or 0 */
	bool again;	   /* another dump was requested meanwhile */
	uint64_t begun_ns; /* start of the last one */
};

/*
 * Starts a dump, or notes that another one follows the one that is still being
 * written. @started_ns: when l4lb started, for the head of the dump.
 */
void dumper_request(struct dumper *d, struct engine *e, uint64_t started_ns);

/* Call it at SIGCHLD. Logs a failure; starts the dump that follows, if any. */
void dumper_reap(struct dumper *d, struct engine *e, uint64_t started_ns);

#endif
