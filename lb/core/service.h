/* SPDX-License-Identifier: MIT */
/*
 * service.h - what clients connect to, and the backends behind it
 *
 * Plain tables owned by the engine. Which backend gets a flow is sched.c's
 * decision; which of our addresses and ports it is reached from, the engine's.
 */
#ifndef L4LB_SERVICE_H
#define L4LB_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/sched.h"

#define SERVICE_BACKENDS_MAX 256 /* of one service */
#define SERVICE_SOURCES_MAX  16	 /* our addresses toward one backend */

struct backend {
	struct endpoint addr;
	unsigned index;	  /* in its service */
	unsigned service; /* in the engine */
	unsigned weight;  /* 0: no new flows */
	bool backup;	  /* only when no other takes flows */
	bool up;
	unsigned n_sources;
	uint16_t pools[SERVICE_SOURCES_MAX]; /* in the engine, one a source */
	unsigned next_source;
	int64_t credit; /* of wrr */
	uint32_t flows; /* open now: neither TIME_WAIT nor RESET */
	uint64_t total; /* flows ever opened */
	uint64_t failed; /* of those, never answered or refused */
};

struct service {
	struct endpoint listen;
	enum sched_kind scheduler;
	bool reset_out_of_state; /* else such packets are just dropped */
	unsigned n_backends;
	struct backend *backends;
	unsigned rr_next;
};

/* Backends of one service by index: those already tried for a flow. */
struct backend_set {
	uint64_t bits[SERVICE_BACKENDS_MAX / 64];
};

static inline bool backend_set_has(const struct backend_set *set, unsigned i)
{
	return set->bits[i / 64] >> i % 64 & 1;
}

static inline void backend_set_add(struct backend_set *set, unsigned i)
{
	set->bits[i / 64] |= 1ull << i % 64;
}

static inline bool backend_takes_flows(const struct backend *b)
{
	return b->up && b->weight > 0;
}

/*
 * The backend for the next flow of @s, not one of @tried; NULL if there is
 * none. Backups are asked only when no other backend takes flows.
 */
struct backend *sched_pick(struct service *s, const struct backend_set *tried);

#endif
