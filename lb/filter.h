/* SPDX-License-Identifier: MIT */
/*
 * filter.h - which system calls are left once l4lb runs (seccomp)
 *
 * A list of what the loop needs, made from what it was seen to do (strace over
 * the lab's tests) and from what another C library or a 32-bit machine calls
 * in its place. Three answers:
 *
 *   on the list          done
 *   what only a break-in would ask (another program, another user, a mount, a
 *   module, another process's memory, code in writable memory)
 *                        the process is killed, and the kernel logs it
 *   anything else        ENOSYS, as an older kernel would say, and logged: a C
 *                        library that tries something newer falls back, and
 *                        an update of it does not end connections
 *
 * A path cannot be looked at here: which files can be opened is a matter of the
 * user that we are (sandbox.h).
 */
#ifndef L4LB_FILTER_H
#define L4LB_FILTER_H

#include "core/err.h"

#define FILTER_NAME "l4lb-loop"

/*
 * For good, and for all children. -EOPNOTSUPP: this kernel has no such filter,
 * or this build none (sanitizers need more).
 */
int filter_load(struct err *err);

#endif
