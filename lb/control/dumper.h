/* SPDX-License-Identifier: MIT */
/*
 * dumper.h - writes the flow dump to stdout, in a child
 *
 * The dump may be long and stdout may be a stopped terminal. A child writes it,
 * so forwarding goes on.
 */
#ifndef L4LB_DUMPER_H
#define L4LB_DUMPER_H

#include <stdint.h>
#include <sys/types.h>

#include "core/engine.h"

/*
 * Starts the child. Returns its pid; or 0 with errno set. The caller reaps the
 * child before it starts another one. Its exit status is an errno, or 0.
 */
pid_t dumper_start(struct engine *e, uint64_t now_ns, uint64_t started_ns);

#endif
