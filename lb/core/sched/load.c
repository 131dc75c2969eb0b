/* SPDX-License-Identifier: MIT */
#include "core/flow.h"
#include "core/sched/load.h"
#include "core/sched/turn.h"
#include "core/time.h"

struct backend *load_least(const struct service *s, struct backend *const *may,
			   unsigned n, uint64_t now_ns)
{
	struct backend *least = NULL;
	uint64_t least_load = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned share = turn_share(s, may[i], now_ns);
		uint64_t load = may[i]->flows;

		/* In slow start each flow counts for more. */
		if (share < HEALTH_SHARE_FULL)
			load = (load + 1) * HEALTH_SHARE_FULL / share;
		if (least && (load > least_load ||
			      (load == least_load &&
			       turn_of(s, may[i]) > turn_of(s, least))))
			continue;
		least_load = load;
		least = may[i];
	}
	return least;
}

static uint64_t weight_of(const struct service *s, const struct backend *b,
			  uint64_t now_ns)
{
	return (uint64_t)b->params.weight * turn_share(s, b, now_ns);
}

struct backend *load_least_weighted(const struct service *s,
				    struct backend *const *may, unsigned n,
				    uint64_t now_ns)
{
	struct backend *least = may[0];
	uint64_t least_flows = least->flows + UINT64_C(1);
	uint64_t least_weight = weight_of(s, least, now_ns);

	for (unsigned i = 1; i < n; i++) {
		const uint64_t flows = may[i]->flows + UINT64_C(1);
		const uint64_t weight = weight_of(s, may[i], now_ns);
		/* flows / weight against least_flows / least_weight */
		const uint64_t load = flows * least_weight;
		const uint64_t least_load = least_flows * weight;

		if (load > least_load ||
		    (load == least_load &&
		     turn_of(s, may[i]) > turn_of(s, least)))
			continue;
		least = may[i];
		least_flows = flows;
		least_weight = weight;
	}
	return least;
}

/* -------------------------------------------------------------------- p2c */

/*
 * What its handshakes take, in units of 1024 ns; 0: none was seen. A backend
 * that was slow once gets hardly any flows, and without flows nobody would see
 * that it is fast again. So the figure halves with every FORGET_NS in which it
 * was not measured.
 */
#define FORGET_NS     (10 * NS_PER_S)
#define HANDSHAKE_MAX ((UINT64_C(1) << 24) - 1) /* 17 s */

static uint64_t handshake_of(const struct backend *b, uint64_t now_ns)
{
	uint64_t took = b->handshake_ns / 1024, age;

	if (b->handshake_ns == 0)
		return 0;
	if (took > HANDSHAKE_MAX)
		took = HANDSHAKE_MAX;
	age = now_ns > b->handshake_at_ns ? now_ns - b->handshake_at_ns : 0;
	took = age / FORGET_NS < 24 ? took >> age / FORGET_NS : 0;
	return took ? took : 1;
}

/* Whoever was never measured counts as the fastest of all. */
static uint64_t fastest(struct backend *const *may, unsigned n, uint64_t now_ns)
{
	uint64_t least = 0;

	for (unsigned i = 0; i < n; i++) {
		uint64_t took = handshake_of(may[i], now_ns);

		if (took && (!least || took < least))
			least = took;
	}
	return least ? least : 1;
}

#define COST_SHIFT 16 /* the heaviest weight still leaves a difference */
static_assert(FLOWS_MAX <= 1u << 22, "a cost has 22 + 24 + 16 bits");

static uint64_t cost_of(const struct service *s, const struct backend *b,
			struct backend *const *may, unsigned n, uint64_t now_ns)
{
	uint64_t took = handshake_of(b, now_ns);

	if (!took)
		took = fastest(may, n, now_ns);
	return ((b->flows + UINT64_C(1)) * took << COST_SHIFT) /
	       weight_of(s, b, now_ns);
}

/* The first of the two wins a tie: which one that is was random. */
struct backend *load_better_of_two(const struct service *s,
				   struct backend *const *may, unsigned n,
				   uint64_t now_ns)
{
	struct random draws = s->sched.draws;
	struct backend *a, *b;
	uint32_t i, k;

	if (n == 1)
		return may[0];
	i = random_below(&draws, n);
	k = random_below(&draws, n - 1);
	a = may[i];
	b = may[k + (k >= i)];
	return cost_of(s, b, may, n, now_ns) < cost_of(s, a, may, n, now_ns)
		       ? b
		       : a;
}
