/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>

#include "totals.h"

/* Nothing but 64-bit counters. */
void totals_add(struct stats *sum, const struct stats *one)
{
	const uint64_t *from = (const uint64_t *)one;
	uint64_t *to = (uint64_t *)sum;

	for (unsigned i = 0; i < sizeof(*sum) / sizeof(*to); i++)
		to[i] += from[i];
}

void totals_print(const struct stats *s)
{
	printf("steps %" PRIu64 ", packets %" PRIu64
	       ", of these forged %" PRIu64 "\n",
	       s->steps, s->packets, s->forged);
	printf("connections %" PRIu64 ", established %" PRIu64
	       ", clean %" PRIu64 ", excused %" PRIu64 ", reset %" PRIu64 "\n",
	       s->opened, s->established, s->clean, s->excused, s->reset);
	printf("changes %" PRIu64 ", slots freed %" PRIu64 "\n", s->changes,
	       s->freed);
	printf("restarts %" PRIu64 ", cut off %" PRIu64
	       ", redispatched %" PRIu64 ", repaired %" PRIu64
	       ", flows reset %" PRIu64 ", recycled %" PRIu64
	       ", expired %" PRIu64 "\n",
	       s->restarts, s->cuts, s->redispatched, s->repaired, s->lb_resets,
	       s->recycled, s->expired);
	printf("revived %" PRIu64 ", ended:", s->revived);
	for (int i = 1; i < FLOW_ENDS; i++)
		printf(" %s %" PRIu64, flow_end_name((enum flow_end)i),
		       s->ended[i]);
	putchar('\n');
	printf("dropped:");
	for (int i = 0; i < DROP_REASONS; i++)
		printf(" %s %" PRIu64, drop_name((enum drop_reason)i),
		       s->dropped[i]);
	putchar('\n');
}
