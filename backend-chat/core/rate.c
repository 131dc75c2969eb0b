/* SPDX-License-Identifier: MIT */
/* See rate.h. */
#include "core/rate.h"

/*
 * A bucket is one time: when it will be full. Each token taken moves that one
 * interval on; a bucket is empty when it is a whole burst away.
 */
int64_t rate_take(struct rate *r, struct rate_limit limit, int64_t now_ms)
{
	int64_t full = r->full_ms > now_ms ? r->full_ms : now_ms;
	int64_t wait = full + limit.interval_ms - now_ms -
		       (int64_t)limit.burst * limit.interval_ms;

	if (wait <= 0) {
		r->full_ms = full + limit.interval_ms;
		return 0;
	}
	if (r->refused_ms == 0 || now_ms - r->refused_ms >= RATE_CALM_MS)
		r->refused_first_ms = now_ms;
	r->refused_ms = now_ms;
	return wait;
}

int64_t rate_owe(struct rate *r, struct rate_limit limit, int64_t now_ms)
{
	int64_t wait;

	if (r->full_ms < now_ms)
		r->full_ms = now_ms;
	r->full_ms += limit.interval_ms;
	wait = r->full_ms + limit.interval_ms - now_ms -
	       (int64_t)limit.burst * limit.interval_ms;
	return wait > 0 ? wait : 0;
}

bool rate_floods(const struct rate *r)
{
	return r->refused_ms - r->refused_first_ms >= RATE_FLOOD_MS;
}
