/* SPDX-License-Identifier: MIT */
/*
 * service.h - services that clients connect to, and their backends
 *
 * Plain tables owned by the engine. sched.c chooses the backend of a flow; the
 * engine chooses our address and port toward it.
 */
#ifndef L4LB_SERVICE_H
#define L4LB_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/health/passive.h"
#include "core/health/when.h"
#include "core/params.h"

struct backend {
	struct endpoint addr;
	unsigned index;	  /* in its service */
	unsigned service; /* in the engine */
	struct backend_params params;
	bool up;
	bool gone;		 /* no longer configured: keeps its old flows */
	bool sweep;		 /* its flows are being reset */
	uint64_t drain_until_ns; /* then its flows are reset; 0: never */
	bool drained;		 /* the drain timeout has passed */
	unsigned n_sources;
	uint16_t pools[SERVICE_SOURCES_MAX]; /* in the engine, one per source */
	unsigned next_source;
	bool routed;	    /* a route chose its source */
	bool has_alternate; /* has an unproven alternate source */
	bool swapped;	    /* pools[0] is the alternate now */
	uint16_t alternate; /* pool; while swapped the original one */
	uint64_t swapped_ns;
	int64_t credit;	       /* of the scheduler wrr */
	uint32_t flows;	       /* open now: neither TIME_WAIT nor RESET */
	uint64_t total;	       /* flows opened so far */
	uint64_t failed;       /* of these, refused or never answered */
	uint64_t handshake_ns; /* SYN to SYN-ACK, smoothed; 0: none seen */
	uint64_t excused_ns;   /* excused since (hearing.h); 0: not */

	struct health health; /* if the service is checked */
	struct breaker breaker;
	struct half_open *asked; /* a half-open check under way, or NULL */

	/* State of cut_off.c. */
	bool unanswered;      /* the last question is unanswered */
	bool cut;	      /* its last silence was the link's fault */
	bool cut_told;	      /* counted in engine.cut_off */
	uint32_t silences;    /* in a row, the link's fault */
	uint64_t answered_ns; /* last answer to this process; 0: none */
	uint64_t around_ns;   /* when others on its link were asked */
};

struct service {
	struct endpoint listen;
	struct service_params params;
	bool away; /* its address is not on this host now */
	uint32_t half_open, half_open_limit;
	unsigned n_backends;
	struct backend *backends;
	unsigned rr_next;
};

/* A set of backends of one service by index: those tried for a flow. */
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

/* Up by its checks, and of nonzero weight. Does not ask the breaker. */
static inline bool backend_takes_flows(const struct backend *b)
{
	return b->up && b->params.weight > 0;
}

/*
 * Returns the backend for the next flow of @s, none of @tried; NULL if none is
 * left. Backups follow when all other backends that take flows have been tried;
 * backends with an open breaker come last, so passive evidence alone never
 * takes away the last one.
 */
struct backend *sched_pick(struct service *s, const struct backend_set *tried,
			   uint64_t now_ns);

#endif
