/* SPDX-License-Identifier: MIT */
/*
 * dumper.h - writes the flow dump to stdout, in a child
 *
 * The dump may be long and stdout may be a stopped terminal. A child writes it,
 * so forwarding goes on. There is one dump at a time.
 */
#ifndef L4LB_DUMPER_H
#define L4LB_DUMPER_H

#include <stdbool.h>
#include <stdint.h>

#include "children.h"
#include "core/engine.h"

/* Set the first three; zero the others. */
struct dumper {
	struct children *children; /* borrowed, as is: */
	struct engine *engine;
	uint64_t started_ns; /* when l4lb started, for the head of the dump */

	bool writing;	   /* a child writes one */
	bool again;	   /* another dump was requested meanwhile */
	uint64_t begun_ns; /* start of the last one */
};

/*
 * Starts a dump, or notes that another one follows the one that is still being
 * written. A failure is logged.
 */
void dumper_request(struct dumper *d);

#endif
