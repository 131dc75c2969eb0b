/* SPDX-License-Identifier: MIT */
/*
 * engine.h - the balancer as a function of packets and time
 *
 * A packet and the time go in, a verdict comes out; with VERDICT_SEND the
 * packet has been rewritten in place. What the engine says on its own account
 * (resets) waits in an outbox. Timers run when engine_tick() is called. No
 * system call, no clock, no log, and memory only at the start.
 *
 * Times are nanoseconds of one clock that never goes back; the program uses
 * CLOCK_BOOTTIME, so that a suspended Pi's idle flows age (design rule 12).
 */
#ifndef L4LB_ENGINE_H
#define L4LB_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"
#include "core/flow.h"
#include "core/limit.h"
#include "core/packet.h"
#include "core/ports.h"
#include "core/service.h"

#define ENGINE_NS_PER_S	  1000000000ull
#define ENGINE_OUTBOX_MAX 256 /* segments; more than that are counted lost */

/* Idle limits in seconds, by state of the flow (design rule 10). */
struct engine_timeouts {
	uint32_t syn_sent;     /* no answer from the backend */
	uint32_t syn_received; /* no ACK from the client */
	uint32_t established;  /* RFC 5382 REQ-5: at least 2 h 4 min */
	uint32_t closing;      /* one or both FINs: RFC 5382, at least 4 min */
	uint32_t closed;       /* TIME_WAIT and RESET keep their mapping */
};
#define ENGINE_TIMEOUTS_DEFAULT                                                \
	{                                                                      \
		.syn_sent = 10, .syn_received = 60, .established = 7440,       \
		.closing = 240, .closed = 60                                   \
	}

struct backend_spec {
	struct endpoint addr;
	unsigned weight;
	bool backup;
	unsigned n_sources; /* at least 1 */
	struct ip_addr sources[SERVICE_SOURCES_MAX];
};

struct service_spec {
	struct endpoint listen;
	enum sched_kind scheduler;
	bool reset_out_of_state;
	unsigned n_backends;
	const struct backend_spec *backends;
};

enum flow_event {
	FLOW_OPENED,  /* a SYN was given to a backend */
	FLOW_CLOSED,  /* both sides finished, or a reset was believed */
	FLOW_REVIVED, /* a reset was not believed after all */
	FLOW_EXPIRED, /* idle for too long */
	FLOW_RECYCLED, /* its place or port was wanted (design rule 10) */
};

struct engine_spec {
	unsigned n_services;
	const struct service_spec *services;
	const uint16_t *ports; /* NAT ports, host byte order */
	uint32_t n_ports;
	uint32_t n_flows;
	struct flow *flows; /* memory for n_flows, zeroed, 64-byte aligned */
	struct engine_timeouts timeouts;
	uint64_t seed; /* port order */
	uint8_t secret[FLOW_SECRET_BYTES]; /* of the flow table's hash */
	/* May be NULL. Called with the flow as it is after the event. */
	void (*on_flow)(void *arg, enum flow_event event,
			const struct flow *flow);
	void *on_flow_arg;
};

enum verdict {
	VERDICT_DROP, /* counted by reason, and perhaps answered */
	VERDICT_SEND,
};

/* A segment that the engine originates; io/inject builds it with libnet. */
struct segment {
	struct endpoint src, dst;
	uint32_t seq, ack;
	uint8_t flags;
};

struct pool {
	struct ip_addr source;
	struct endpoint backend;
	struct port_pool ports;
};

struct engine_counters {
	uint64_t received;  /* = forwarded + the sum of dropped */
	uint64_t forwarded; /* packets; super-packets count once */
	uint64_t dropped[DROP_REASONS];
	uint64_t originated; /* segments put into the outbox */
	uint64_t outbox_lost; /* not put there, it was full */
	uint64_t answers_limited; /* resets not sent: too many a second */
	uint64_t out_of_window;	  /* forwarded, but changed nothing */
	uint64_t bad_rst;	  /* the same, resets */
	uint64_t recycled_closed, recycled_half_open, expired;
};

struct engine {
	struct flow_table table;
	struct wheel wheel;
	struct list_node *wheel_nodes;
	/* Flows that may be recycled, oldest first: closed and half-open, in
	 * one list for all and in one per pool.
	 */
	struct list_node *age_nodes, *pool_nodes;
	struct service *services;
	unsigned n_services;
	struct pool *pools;
	unsigned n_pools;
	uint16_t *port_memory;
	struct engine_timeouts timeouts;
	struct limit limit_stray;   /* resets to packets without a flow */
	struct limit limit_reply;   /* the same, from backends */
	struct limit limit_refused; /* resets to SYNs that found no place */
	struct segment outbox[ENGINE_OUTBOX_MAX];
	unsigned outbox_head, outbox_used;
	struct engine_counters counters;
	void (*on_flow)(void *arg, enum flow_event event,
			const struct flow *flow);
	void *on_flow_arg;
};

/* -ENOMEM, or -EINVAL when the spec cannot be (too many of something). */
int engine_new(struct engine **out, const struct engine_spec *spec,
	       uint64_t now_ns, struct err *err);
void engine_free(struct engine *e);

/* For batches: hash every packet, then prefetch every flow, then decide. */
static inline void engine_prepare(const struct engine *e, struct packet *p)
{
	p->hash = flow_hash(&e->table, &p->key);
	flow_prefetch_slot(&e->table, p->hash);
}

static inline void engine_prefetch(const struct engine *e,
				   const struct packet *p)
{
	flow_prefetch(&e->table, p->hash);
}

/* Needs engine_prepare() on @p. */
enum verdict engine_packet(struct engine *e, struct packet *p, uint64_t now_ns);

/* A frame that packet_parse() refused. */
void engine_refused(struct engine *e, enum drop_reason why);

/* Packets with VERDICT_SEND that could not be sent. */
void engine_unsent(struct engine *e, enum drop_reason why, uint64_t count);

/* The oldest originated segment; false if there is none. */
bool engine_next(struct engine *e, struct segment *out);

/*
 * Ends at most @budget idle flows. Returns when to call again: WHEEL_IDLE if
 * nothing is timed; @now_ns if the budget was used up.
 */
uint64_t engine_tick(struct engine *e, uint64_t now_ns, unsigned budget);

static inline struct backend *engine_backend(const struct engine *e,
					     const struct flow *f)
{
	return &e->services[f->service].backends[f->backend];
}

#endif
