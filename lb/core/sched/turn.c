/* SPDX-License-Identifier: MIT */
#include "core/sched/turn.h"

static_assert((UINT64_C(1) << 32) % SERVICE_BACKENDS_MAX == 0,
	      "turn_of() may wrap");

struct backend *turn_next(const struct service *s, struct backend *const *may,
			  unsigned n)
{
	struct backend *next = may[0];
	unsigned soonest = turn_of(s, next);

	for (unsigned i = 1; i < n && soonest > 0; i++) {
		const unsigned turn = turn_of(s, may[i]);

		if (turn < soonest) {
			soonest = turn;
			next = may[i];
		}
	}
	return next;
}

bool turn_is_ramping(const struct service *s, struct backend *const *may,
		     unsigned n, uint64_t now_ns)
{
	if (!s->params.checked || !s->params.health.slow_start_ms)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (turn_share(s, may[i], now_ns) < HEALTH_SHARE_FULL)
			return true;
	return false;
}

/*
 * Smooth weighted round robin, as in nginx: the credit of each grows by its
 * weight; the largest is chosen and pays the sum. Weights 3 1 give a a b a, not
 * a a a b. The credits of a service, those of backends that are away included,
 * always add up to 0, and after one round of all weights each is what it was:
 * so every round is exact.
 *
 * While the same backends take part, the credits stay within about two rounds
 * of each other (2.1 is the most that a search for bad weights found). When a
 * heavy one has left, the credits of the light ones may be a hundred of their
 * rounds apart, and one of them would get a hundred flows in a row. So credits
 * that are more than SPREAD_MAX rounds apart are void, and a new round begins.
 * A smaller difference stays: otherwise weights that somebody sets every second
 * would always favour the heaviest.
 */
#define SPREAD_MAX 4

/* Void credits: the heaviest; among equals the one whose turn is next. */
static struct backend *heaviest(const struct service *s,
				const struct sched_why *why)
{
	unsigned best = 0;

	for (unsigned i = 1; i < why->n; i++)
		if (why->weight[i] > why->weight[best] ||
		    (why->weight[i] == why->weight[best] &&
		     turn_of(s, why->may[i]) < turn_of(s, why->may[best])))
			best = i;
	return why->may[best];
}

struct backend *turn_weighted(const struct service *s, struct sched_why *why,
			      bool equal, uint64_t now_ns)
{
	int64_t low = INT64_MAX, high = INT64_MIN, most = INT64_MIN, sum = 0;
	struct backend *best = NULL;

	for (unsigned i = 0; i < why->n; i++) {
		struct backend *b = why->may[i];
		const uint32_t weight = (equal ? 1 : b->params.weight) *
					turn_share(s, b, now_ns);
		const int64_t credit = b->credit;

		why->weight[i] = weight;
		sum += weight;
		low = credit < low ? credit : low;
		high = credit > high ? credit : high;
		if (credit + weight < most ||
		    (credit + weight == most &&
		     turn_of(s, b) > turn_of(s, best)))
			continue;
		most = credit + weight;
		best = b;
	}
	why->by_weight = true;
	why->sum = sum;
	why->anew = high - low > SPREAD_MAX * sum;
	return why->anew ? heaviest(s, why) : best;
}

void turn_charge(struct service *s, struct backend *b,
		 const struct sched_why *why)
{
	if (why->anew)
		turn_forget(s);
	for (unsigned i = 0; i < why->n; i++)
		why->may[i]->credit += why->weight[i];
	b->credit -= why->sum;
}

void turn_forget(struct service *s)
{
	for (unsigned i = 0; i < s->n_backends; i++)
		s->backends[i].credit = 0;
}
