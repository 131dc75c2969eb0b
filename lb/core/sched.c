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

/* Weights do not count: one each in turn, those of weight 0 left out. */
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

/*
 * Smooth weighted round robin, as in nginx: each gains its weight, the
 * richest is picked and pays the sum. Weights 3 1 give a a b a, not a a a b.
 */
static struct backend *pick_wrr(struct backend *const *may, unsigned n)
{
	struct backend *best = NULL;
	int64_t sum = 0;

	for (unsigned i = 0; i < n; i++) {
		may[i]->credit += may[i]->weight;
		sum += may[i]->weight;
		if (!best || may[i]->credit > best->credit)
			best = may[i];
	}
	best->credit -= sum;
	return best;
}

/* Fewest flows; among equals the one after the last picked. */
static struct backend *pick_lc(struct service *s, struct backend *const *may,
			       unsigned n)
{
	struct backend *least[SERVICE_BACKENDS_MAX];
	unsigned n_least = 0;

	for (unsigned i = 0; i < n; i++) {
		if (n_least && may[i]->flows > least[0]->flows)
			continue;
		if (n_least && may[i]->flows < least[0]->flows)
			n_least = 0;
		least[n_least++] = may[i];
	}
	return pick_rr(s, least, n_least);
}

struct backend *sched_pick(struct service *s, const struct backend_set *tried)
{
	struct backend *may[SERVICE_BACKENDS_MAX];
	unsigned n = 0;

	/* Backups only when nobody else is there to ask. */
	for (int backup = 0; backup <= 1 && n == 0; backup++) {
		bool any = false;

		for (unsigned i = 0; i < s->n_backends; i++) {
			struct backend *b = &s->backends[i];

			if (b->backup != backup || !backend_takes_flows(b))
				continue;
			any = true;
			if (!backend_set_has(tried, i))
				may[n++] = b;
		}
		if (any && n == 0)
			return NULL; /* all of them were tried */
	}
	if (n == 0)
		return NULL;

	switch (s->scheduler) {
	case SCHED_RR: return pick_rr(s, may, n);
	case SCHED_WRR: return pick_wrr(may, n);
	case SCHED_LC: return pick_lc(s, may, n);
	case SCHED_KINDS: break;
	}
	assert(!"a scheduler for every kind");
	return NULL;
}
