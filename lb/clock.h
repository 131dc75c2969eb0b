/* SPDX-License-Identifier: MIT */
/*
 * clock.h - the clock of the whole program
 *
 * Every layer but lb/core may include it: what the core does depends only on
 * the times that it is given.
 */
#ifndef L4LB_CLOCK_H
#define L4LB_CLOCK_H

#include <stdint.h>

/*
 * CLOCK_BOOTTIME in ns. Unlike CLOCK_MONOTONIC it counts while the machine is
 * suspended, so that idle flows age.
 */
uint64_t clock_now_ns(void);

/*
 * The processor time of this thread: what it was preempted for is not in it. A
 * system call.
 */
uint64_t clock_cpu_ns(void);

#endif
