/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <string.h>

#include "core/sched.h"
#include "core/service.h"

static const char *const names[] = {
	[SCHED_RR] = "rr",
	[SCHED_WRR] = "wrr",
	[SCHED_LC] = "lc",
};
static_assert(sizeof(names) / sizeof(names[0]) == SCHED_KINDS,
	      "a name for every scheduler");

const char *sched_name(enum sched_kind kind)
{
	return kind < SCHED_KINDS ? names[kind] : NULL;
}

enum sched_kind sched_by_name(const char *name)
{
	unsigned kind = 0;

	while (kind < SCHED_KINDS && strcmp(names[kind], name) != 0)
		kind++;
	return (enum sched_kind)kind;
}

/* Ignores weights: one flow each in turn, but none for weight 0. */
static struct backend *pick_rr(struct service *s, struct backend *const *may,
			       unsigned n)
{
	struct backend *next = NULL, *first = NULL;

	for (unsigned i = 0; i < n; i++) {
		if (!first || may[i]->index < first->index)
			first = may[i];
		if (may[i]->index >= s->rr_next &&
		    (!next || may[i]->index < next->index))
			next = may[i];
	}
	if (!next)
		next = first;
	s->rr_next = next->index + 1;
	return next;
}

/* Slow start gives a recovering backend less than its weight. */
static unsigned share_of(const struct service *s, const struct backend *b,
			 uint64_t now_ns)
{
	return s->params.checked ? health_share(&b->health, now_ns)
				 : HEALTH_SHARE_FULL;
}

static bool any_ramping(const struct service *s, struct backend *const *may,
			unsigned n, uint64_t now_ns)
{
	for (unsigned i = 0; i < n; i++)
		if (share_of(s, may[i], now_ns) < HEALTH_SHARE_FULL)
			return true;
	return false;
}

/*
 * Smooth weighted round robin, as in nginx: the credit of each grows by its
 * weight; the largest is picked and pays the sum. Weights 3 1 give a a b a, not
 * a a a b. @equal: all have weight 1, apart from slow start.
 */
static struct backend *pick_wrr(const struct service *s,
				struct backend *const *may, unsigned n,
				bool equal, uint64_t now_ns)
{
	struct backend *best = NULL;
	int64_t sum = 0;

	for (unsigned i = 0; i < n; i++) {
		int64_t weight = (int64_t)(equal ? 1 : may[i]->params.weight) *
				 share_of(s, may[i], now_ns);

		may[i]->credit += weight;
		sum += weight;
		if (!best || may[i]->credit > best->credit)
			best = may[i];
	}
	best->credit -= sum;
	return best;
}

/* Fewest flows for its share; among equals in turn. */
static struct backend *pick_lc(struct service *s, struct backend *const *may,
			       unsigned n, uint64_t now_ns)
{
	struct backend *least[SERVICE_BACKENDS_MAX];
	uint64_t least_load = 0;
	unsigned n_least = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned share = share_of(s, may[i], now_ns);
		uint64_t load = (uint64_t)may[i]->flows * HEALTH_SHARE_FULL;

		/* In slow start each flow counts for more. */
		load = share < HEALTH_SHARE_FULL
			       ? (load + HEALTH_SHARE_FULL) / share
			       : (uint64_t)may[i]->flows;
		if (n_least && load > least_load)
			continue;
		if (n_least && load < least_load)
			n_least = 0;
		least_load = load;
		least[n_least++] = may[i];
	}
	return pick_rr(s, least, n_least);
}

/* A backend that leaves must not take the others' credits along. */
void sched_changed(struct service *s)
{
	for (unsigned i = 0; i < s->n_backends; i++)
		s->backends[i].credit = 0;
}

static unsigned candidates(const struct service *s,
			   const struct backend_set *tried, bool backup,
			   bool open, uint64_t now_ns, struct backend **may)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->n_backends; i++) {
		struct backend *b = &s->backends[i];

		if (b->params.backup == backup && backend_takes_flows(b) &&
		    (open || breaker_allows(&b->breaker, now_ns)) &&
		    !backend_set_has(tried, i))
			may[n++] = b;
	}
	return n;
}

struct backend *sched_pick(struct service *s, const struct backend_set *tried,
			   uint64_t now_ns)
{
	struct backend *may[SERVICE_BACKENDS_MAX];
	unsigned n = 0;

	/* First those whose breaker allows it; backups if no other is left. */
	for (int open = 0; open <= 1 && n == 0; open++)
		for (int backup = 0; backup <= 1 && n == 0; backup++)
			n = candidates(s, tried, backup, open, now_ns, may);
	if (n == 0)
		return NULL;

	switch (s->params.scheduler) {
	case SCHED_RR:
		if (any_ramping(s, may, n, now_ns))
			return pick_wrr(s, may, n, true, now_ns);
		return pick_rr(s, may, n);
	case SCHED_WRR: return pick_wrr(s, may, n, false, now_ns);
	case SCHED_LC: return pick_lc(s, may, n, now_ns);
	case SCHED_KINDS: break;
	}
	assert(!"a scheduler for every kind");
	return NULL;
}
