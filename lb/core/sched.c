/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "core/sched.h"

#define WORDS_MAX 4

/* The first is ours; the others are HAProxy's, nginx's, IPVS's and Flask's. */
static const char *const words[][WORDS_MAX] = {
	[SCHED_RR] = {"rr", "round_robin", "roundrobin"},
	[SCHED_WRR] = {"wrr", "weighted_round_robin"},
	[SCHED_LC] = {"lc", "least_connections", "least_conn", "leastconn"},
	[SCHED_WLC] = {"wlc", "weighted_least_connections"},
	[SCHED_HASH] = {"hash", "ip_hash", "source"},
	[SCHED_MAGLEV] = {"maglev", "mh", "consistent"},
	[SCHED_P2C] = {"p2c", "power_of_two", "random"},
};
static_assert(sizeof(words) / sizeof(words[0]) == SCHED_KINDS,
	      "a name for every scheduler");

const char *sched_name(enum sched_kind kind)
{
	return kind < SCHED_KINDS ? words[kind][0] : NULL;
}

static bool is_word(const char *word, const char *name)
{
	while (*word && (*word == *name || (*word == '_' && *name == '-')))
		word++, name++;
	return *word == *name;
}

enum sched_kind sched_by_name(const char *name)
{
	for (unsigned kind = 0; kind < SCHED_KINDS; kind++)
		for (unsigned i = 0; i < WORDS_MAX && words[kind][i]; i++)
			if (is_word(words[kind][i], name))
				return (enum sched_kind)kind;
	return SCHED_KINDS;
}
