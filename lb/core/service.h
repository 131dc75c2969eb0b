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
#include "core/breaker.h"
#include "core/check.h"
#include "core/health.h"
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
	bool gone;		 /* no longer configured: only its flows */
	bool sweep;		 /* its flows are being reset */
	uint64_t drain_until_ns; /* then they are; 0: never */
	bool drained;		 /* that was */
	unsigned n_sources;
	uint16_t pools[SERVICE_SOURCES_MAX]; /* in the engine, one a source */
	unsigned next_source;
	bool routed;	    /* the source: a route's choice */
	bool has_alternate; /* another one, while it answers none */
	bool swapped;	    /* pools[0] is that one */
	uint16_t alternate; /* pool; of pools[0] while swapped */
	uint64_t swapped_ns;
	int64_t credit;	       /* of wrr */
	uint32_t flows;	       /* open now: neither TIME_WAIT nor RESET */
	uint64_t total;	       /* flows ever opened */
	uint64_t failed;       /* of those, never answered or refused */
	uint64_t handshake_ns; /* SYN to SYN-ACK, smoothed; 0: none seen */
	uint64_t excused_ns;   /* since then, unheard, see hearing.h; 0: not */

	struct health health; /* where the service is checked */
	struct breaker breaker;
	struct half_open *asked; /* a half-open check under way, or NULL */

	/* Of cut_off.c. */
	bool unanswered;      /* what it was asked last */
	bool cut;	      /* its last silence was not its own */
	bool cut_told;	      /* it is one of those that are cut off */
	uint32_t silences;    /* in a row, not its own */
	uint64_t answered_ns; /* last, to this process; 0: never */
	uint64_t around_ns;   /* others on its link were asked */
};

struct service {
	struct endpoint listen;
	enum sched_kind scheduler;
	bool reset_out_of_state; /* else such packets are just dropped */
	bool drop_all_down;	 /* no backend: silence; else refuse at once */
	bool mptcp_pass;	 /* options of MPTCP stay in SYNs */
	bool keep_on_down;	 /* a backend goes down: leave its flows */
	bool away;		 /* its address is not on this host now */
	bool checked;
	struct check_spec check;
	unsigned retries;
	uint64_t syn_timeout_ns;
	uint32_t half_open, half_open_max;
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

/* By its checks and the administrator; the breaker is asked apart. */
static inline bool backend_takes_flows(const struct backend *b)
{
	return b->up && b->weight > 0;
}

/*
 * The backend for the next flow of @s, not one of @tried; NULL if there is
 * none. Backups are asked only when no other backend that takes flows is left
 * untried, and those whose breaker is open only after that: passive evidence
 * alone never takes the last one away.
 */
struct backend *sched_pick(struct service *s, const struct backend_set *tried,
			   uint64_t now_ns);

#endif
