/* SPDX-License-Identifier: MIT */
/*
 * service.h - services that clients connect to, and their backends
 *
 * Plain tables owned by the engine. core/sched/ chooses the backend of a flow;
 * the engine chooses our address and port toward it.
 */
#ifndef L4LB_SERVICE_H
#define L4LB_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/counters.h"
#include "core/health/passive.h"
#include "core/health/when.h"
#include "core/params.h"
#include "core/sched/memory.h"
#include "core/slot.h"

struct backend {
	struct backend_counters counters __attribute__((aligned(64)));
	struct endpoint addr;
	unsigned index;	  /* in its service */
	unsigned service; /* in the engine */
	enum slot slot;
	bool up;
	bool proven; /* not a newcomer whose first check has yet to pass */
	struct backend_params params;
	bool sweep;		 /* its flows are being reset */
	bool drained;		 /* none of its flows is to go on */
	uint64_t drain_from_ns;	 /* when it was to lose its flows; 0: not */
	uint64_t drain_until_ns; /* then its flows are reset; 0: never */
	uint64_t free_from_ns;	 /* of one that leaves: not before */
	unsigned n_sources;
	uint16_t pools[SERVICE_SOURCES_MAX]; /* in the engine, one per source */
	unsigned next_source;
	bool routed;	    /* a route chose its source */
	bool alternates;    /* .alternate is a pool of its own */
	bool has_alternate; /* has an unproven alternate source */
	bool swapped;	    /* pools[0] is the alternate now */
	uint16_t alternate; /* pool; while swapped the original one */
	uint64_t swapped_ns;
	int64_t credit;		  /* of the scheduler wrr */
	uint64_t token;		  /* hash of .addr, sched_changed(); 0: none */
	uint32_t flows;		  /* open now: neither TIME_WAIT nor RESET */
	uint32_t refs;		  /* all flows that name it, closed ones too */
	uint32_t tried;		  /* kept SYNs that name it as tried */
	uint64_t handshake_ns;	  /* SYN to SYN-ACK, smoothed; 0: none seen */
	uint64_t handshake_at_ns; /* when it was measured last */
	uint64_t excused_ns;	  /* excused since (hearing.h); 0: not */

	uint64_t since_ns; /* last change of .up or .proven */
	uint64_t down_ns;  /* time spent down, but for this one */

	struct health health;	 /* if the service is checked */
	uint32_t checks_from_nr; /* results up to this number are void */
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

/* A service whose slot is free keeps its array of backends for the next. */
struct service {
	struct endpoint listen;
	enum slot slot;
	uint64_t entered_ns; /* became SLOT_LIVE */
	struct service_params params;
	bool away;    /* its address is not on this host now */
	bool changed; /* its scheduler learns so: engine_end_changes() */
	uint32_t half_open, half_open_limit;
	struct service_counters counters;
	uint64_t left_answered;	  /* by backends whose slots are free now */
	unsigned n_backends;	  /* slots in use so far: may have holes */
	struct backend *backends; /* SERVICE_BACKENDS_MAX, or NULL: never used
				   */
	void *memory;		  /* where they lie */
	struct sched_memory sched;
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

/*
 * Wanted by the administrator, up by its checks, and of nonzero weight. Does
 * not ask the breaker.
 */
static inline bool backend_takes_flows(const struct backend *b)
{
	return b->slot == SLOT_LIVE && b->params.admin == ADMIN_ENABLED &&
	       b->up && b->proven && b->params.weight > 0;
}

/* What its checks have found changes. */
static inline void backend_set_up(struct backend *b, bool up, uint64_t now_ns)
{
	if (b->up == up)
		return;
	b->counters.downs += !up;
	b->down_ns += up ? now_ns - b->since_ns : 0;
	b->up = up;
	b->since_ns = now_ns;
}

static inline void backend_set_proven(struct backend *b, bool proven,
				      uint64_t now_ns)
{
	if (b->up && b->proven != proven)
		b->since_ns = now_ns;
	b->proven = proven;
}

/* Its checks run now. */
static inline bool backend_is_checked(const struct service *s,
				      const struct backend *b)
{
	return s->params.checked && b->slot == SLOT_LIVE &&
	       b->params.admin != ADMIN_DISABLED;
}

#endif
