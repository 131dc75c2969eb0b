/* SPDX-License-Identifier: MIT */
/*
 * world.h - clients, backends and links around one engine, on virtual time
 *
 * Everything that happens is an event in one queue; whatever is random comes
 * from one seed. So a seed is a whole history, and the same one every time.
 * After every step the rules of judge.h hold; world_run() returns with the
 * first that does not.
 *
 * A history has three phases. ROUGH: whatever the plan of the seed asks for.
 * FAIR: the network loses nothing, everybody is back and new connections are
 * opened; all that can finish must. QUIET: nobody says anything, until the
 * engine holds nothing any more.
 */
#ifndef L4LB_SIM_WORLD_H
#define L4LB_SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "core/random.h"
#include "core/view.h"
#include "balancer.h"
#include "conn.h"
#include "host.h"
#include "plan.h"
#include "tcp_end.h"

#define MS  1000000ull
#define SEC (1000 * MS)

#define PKT_MAX	   1600 /* bytes of an IP packet in this world */
#define PKTS_MAX   2048
#define EVENTS_MAX 16384
#define ENDS_MAX   1024
#define CONNS_MAX  1024
#define BROKEN_MAX 240

enum phase { ROUGH, FAIR, QUIET };

/* Who really made a packet, whatever its addresses say. */
struct origin {
	uint32_t end; /* uid of a struct tcp_end; 0: nobody honest */
	int32_t conn; /* that it belongs to; -1: none */
	bool from_client;
	bool synced;		  /* its sender had seen the other side's SYN */
	bool corrupted;		  /* bits of it were flipped on the way */
	bool forged;		  /* made by an attacker */
	struct endpoint src, dst; /* as its maker wrote them */
};

struct pkt {
	struct origin origin;
	uint32_t len;
	uint32_t next_free;
	uint8_t bytes[PKT_MAX];
};

enum event_kind {
	EV_TO_LB,     /* packet @ref arrives at the balancer */
	EV_TO_HOST,   /* packet @ref arrives at a host */
	EV_END_TIMER, /* of the end @ref */
	EV_APP,	      /* the application of the end @ref does something */
	EV_LB_TIMER,
	EV_LB_BACK,    /* the balancer's process is back */
	EV_PROBE,      /* result of a probe: @ref is backend, @uid its number */
	EV_CONNECT,    /* a client opens a connection */
	EV_CUT,	       /* nothing comes through to backends, for @ref s */
	EV_NEIGHBOURS, /* they were asked who is there */
	EV_FAULT,      /* something breaks or comes back */
	EV_CHANGE,     /* the configuration changes while it runs */
	EV_ATTACK,
	EV_PHASE, /* the next phase begins */
	EV_KINDS
};

struct event {
	uint64_t at;
	uint64_t order; /* among those at the same time */
	enum event_kind kind;
	uint32_t ref, uid;
};

struct stats {
	uint64_t steps, packets, opened, established, clean, reset, excused;
	uint64_t changes, freed, restarts, cuts, forged, dropped[DROP_REASONS];
	uint64_t redispatched, repaired, lb_resets, recycled, expired;
	uint64_t ended[FLOW_ENDS], revived;
};

struct world {
	uint64_t seed, now, step;
	enum phase phase;
	uint64_t fair_from;
	bool trace;
	struct random random;
	struct plan plan;
	struct balancer lb;

	struct host hosts[HOSTS_MAX];
	unsigned n_hosts;
	struct tcp_end ends[ENDS_MAX];
	uint32_t live[ENDS_MAX]; /* indices of those not closed */
	unsigned n_live;
	uint32_t next_uid;
	struct conn conns[CONNS_MAX];
	unsigned n_conns;

	struct event heap[EVENTS_MAX];
	unsigned n_events;
	uint64_t order;
	struct pkt *pkts;
	uint32_t free_pkt;

	struct stats stats;
	char broken[BROKEN_MAX]; /* the rule that does not hold; "": all do */
};

struct world *world_new(uint64_t seed, bool trace);
void world_free(struct world *w);

/* A whole history. The rule that was broken, or NULL. */
const char *world_run(struct world *w);

/* ------------------------------------------------- for the parts of it */

void world_at(struct world *w, uint64_t at, enum event_kind kind, uint32_t ref,
	      uint32_t uid);

/* NULL when too many are on their way: then it is lost. */
struct pkt *world_pkt(struct world *w);
void world_drop_pkt(struct world *w, struct pkt *p);

static inline uint32_t world_ref(const struct world *w, const struct pkt *p)
{
	return (uint32_t)(p - w->pkts);
}

/* Notes the first rule that is broken; the history ends with this step. */
void world_break(struct world *w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

void world_trace(const struct world *w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void world_trace_pkt(const struct world *w, const char *what,
		     const struct pkt *p);
/* Why the engine kept the last packet. */
void world_trace_drop(const struct world *w,
		      const struct engine_counters *before);

static inline uint32_t roll(struct world *w, uint32_t n)
{
	return random_below(&w->random, n);
}

/* True @permille times of a thousand. */
static inline bool chance(struct world *w, uint32_t permille)
{
	return permille && roll(w, 1000) < permille;
}

static inline uint64_t roll_ns(struct world *w, uint64_t lo, uint64_t hi)
{
	return lo + random_next(&w->random) % (hi - lo + 1);
}

#endif
