/* SPDX-License-Identifier: MIT */
#include "core/sched/turn.h"

static_assert((UINT64_C(1) << 32) % SERVICE_BACKENDS_MAX == 0,
	      "turn_of() may wrap");

struct backend *turn_next(const struct service *s, struct backend *const *may,
			  unsigned n)
{
	struct backend *next = may[0];

	for (unsigned i = 1; i < n; i++)
		if (turn_of(s, may[i]) < turn_of(s, next))
			next = may[i];
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

static int64_t weight_of(const struct service *s, const struct backend *b,
			 bool equal, uint64_t now_ns)
{
	return (int64_t)(equal ? 1 : b->params.weight) *
	       turn_share(s, b, now_ns);
}

struct round {
	int64_t sum; /* of the weights */
	bool anew;   /* the credits are void */
};

static struct round round_of(const struct service *s,
			     struct backend *const *may, unsigned n, bool equal,
			     uint64_t now_ns)
{
	int64_t least = may[0]->credit, most = may[0]->credit, sum = 0;

	for (unsigned i = 0; i < n; i++) {
		sum += weight_of(s, may[i], equal, now_ns);
		if (may[i]->credit < least)
			least = may[i]->credit;
		if (may[i]->credit > most)
			most = may[i]->credit;
	}
	return (struct round){sum, most - least > SPREAD_MAX * sum};
}

/* Among equals in turn. */
struct backend *turn_weighted(const struct service *s,
			      struct backend *const *may, unsigned n,
			      bool equal, uint64_t now_ns)
{
	const bool anew = round_of(s, may, n, equal, now_ns).anew;
	struct backend *best = NULL;
	int64_t most = 0;

	for (unsigned i = 0; i < n; i++) {
		int64_t credit = (anew ? 0 : may[i]->credit) +
				 weight_of(s, may[i], equal, now_ns);

		if (best &&
		    (credit < most ||
		     (credit == most && turn_of(s, may[i]) > turn_of(s, best))))
			continue;
		best = may[i];
		most = credit;
	}
	return best;
}

void turn_charge(struct service *s, struct backend *b,
		 struct backend *const *may, unsigned n, bool equal,
		 uint64_t now_ns)
{
	const struct round round = round_of(s, may, n, equal, now_ns);

	if (round.anew)
		turn_forget(s);
	for (unsigned i = 0; i < n; i++)
		may[i]->credit += weight_of(s, may[i], equal, now_ns);
	b->credit -= round.sum;
}

void turn_forget(struct service *s)
{
	for (unsigned i = 0; i < s->n_backends; i++)
		s->backends[i].credit = 0;
}
