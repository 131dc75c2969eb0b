/* SPDX-License-Identifier: MIT */
#include <assert.h>

#include "core/counters.h"
#include "core/time.h"

static const uint64_t bounds_us[] = {
	100,   250,    500,    1000,   2500,	5000,	 10000,	  25000,
	50000, 100000, 250000, 500000, 1000000, 2500000, 5000000,
};
static_assert(sizeof(bounds_us) / sizeof(bounds_us[0]) == HISTOGRAM_BUCKETS - 1,
	      "a bound for every bucket but the last");

static const char *const failure_names[] = {
	[FAILURE_REFUSED] = "refused",
	[FAILURE_TIMEOUT] = "timeout",
	[FAILURE_UNREACHABLE] = "unreachable",
	[FAILURE_ABANDONED] = "abandoned",
};
static_assert(sizeof(failure_names) / sizeof(failure_names[0]) ==
		      BACKEND_FAILURES,
	      "a name for every kind");

uint64_t histogram_bound_ns(unsigned i)
{
	assert(i < HISTOGRAM_BUCKETS);
	return i < HISTOGRAM_BUCKETS - 1 ? bounds_us[i] * NS_PER_US
					 : UINT64_MAX;
}

void histogram_add(struct histogram *h, uint64_t ns)
{
	unsigned i = 0;

	while (ns > histogram_bound_ns(i))
		i++;
	h->count[i]++;
	h->sum_ns += ns;
}

uint64_t histogram_total(const struct histogram *h)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		total += h->count[i];
	return total;
}

const char *backend_failure_name(enum backend_failure kind)
{
	assert(kind < BACKEND_FAILURES);
	return failure_names[kind];
}
