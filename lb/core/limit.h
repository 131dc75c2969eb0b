/* SPDX-License-Identifier: MIT */
/* limit.h - a token bucket: a rate per second, and a burst */
#ifndef L4LB_LIMIT_H
#define L4LB_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/time.h"

struct limit {
	uint64_t interval_ns; /* between tokens */
	uint64_t burst_ns;    /* burst * interval */
	uint64_t spent_ns;    /* the time up to which tokens are used */
};

static inline void limit_init(struct limit *l, uint32_t per_s, uint32_t burst)
{
	l->interval_ns = NS_PER_S / per_s;
	l->burst_ns = l->interval_ns * burst;
	l->spent_ns = 0;
}

/* True if one more is allowed; takes its token. */
static inline bool limit_allow(struct limit *l, uint64_t now_ns)
{
	if (now_ns > l->burst_ns && l->spent_ns < now_ns - l->burst_ns)
		l->spent_ns = now_ns - l->burst_ns;
	if (l->spent_ns + l->interval_ns > now_ns)
		return false;
	l->spent_ns += l->interval_ns;
	return true;
}

#endif
