/* SPDX-License-Identifier: MIT */
/*
 * syscall_filter.h - the system calls that are allowed once l4lb runs (seccomp)
 *
 * The list contains what the loop needs, as strace saw it in the lab's tests,
 * and what other C libraries and 32-bit machines call instead. Three answers:
 *
 *   on the list          allowed
 *   what only a break-in would ask (another program, another user, a mount, a
 *   module, another process's memory, code in writable memory)
 *                        kills the process; the kernel logs it
 *   anything else        ENOSYS, as of an older kernel, and logged: a C library
 *                        that tries something newer falls back, so an update
 *                        of it does not end connections
 *
 * The filter cannot see paths. Which files can be opened depends on the user
 * that we are (sandbox.h).
 */
#ifndef L4LB_SYSCALL_FILTER_H
#define L4LB_SYSCALL_FILTER_H

#include "core/err.h"

#define FILTER_NAME "l4lb-loop"

/*
 * Cannot be undone, and holds for all children. -EOPNOTSUPP: this kernel has no
 * such filter, or this build has none (sanitizers need more calls).
 */
int filter_load(struct err *err);

/*
 * The same for l4lb-api: allowed is everything but what only a break-in would
 * ask, and sockets other than UNIX, IP and netlink.
 */
int filter_load_api(struct err *err);

#endif
