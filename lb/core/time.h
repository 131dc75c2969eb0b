/* SPDX-License-Identifier: MIT */
/*
 * time.h - units of time
 *
 * Times and intervals are uint64_t of nanoseconds, and their names end in _ns.
 * A time is that of one monotonic clock, the caller's (clock.h): lb/core reads
 * none.
 */
#ifndef L4LB_TIME_H
#define L4LB_TIME_H

#define NS_PER_S  1000000000ull
#define NS_PER_MS 1000000ull
#define NS_PER_US 1000ull

#endif
