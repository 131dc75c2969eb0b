/* SPDX-License-Identifier: MIT */
/* See pace.h. One token bucket per speaker; its size is one second's share. */
#include "pace.h"

#define SECOND_US INT64_C(1000000)

static int64_t share_of(const struct pace_room *r)
{
	int64_t speakers = r->speakers > r->speakers_before
				   ? r->speakers
				   : r->speakers_before;

	if (speakers > 1 && r->budget > speakers)
		return r->budget / speakers;
	return speakers > 1 ? 1 : r->budget;
}

static void refill(const struct pace_room *r, struct pace *p, int64_t now_us)
{
	int64_t share = share_of(r), passed = now_us - p->at_us;

	if (passed > SECOND_US)
		passed = SECOND_US;
	p->level += share * passed / SECOND_US;
	if (p->level > share)
		p->level = share;
	/* The rest, too short for another byte, counts the next time. */
	p->at_us = now_us - share * passed % SECOND_US / share;
}

int64_t pace_wait_us(const struct pace_room *r, struct pace *p, int64_t now_us)
{
	refill(r, p, now_us);
	if (p->level > 0)
		return 0;
	return (1 - p->level) * SECOND_US / share_of(r) + 1;
}

void pace_spend(struct pace_room *r, struct pace *p, size_t len, int64_t now_us)
{
	const int64_t second = now_us / SECOND_US, bytes = (int64_t)len;

	if (r->second != second) {
		r->speakers_before = r->second == second - 1 ? r->speakers : 0;
		r->speakers = 0;
		r->second = second;
	}
	if (p->second != second) {
		p->second = second;
		r->speakers++;
	}
	refill(r, p, now_us);
	p->level -= bytes;
	/* What was said while nobody was behind is forgotten. */
	if (p->level < -bytes)
		p->level = -bytes;
}
