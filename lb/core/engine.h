/* SPDX-License-Identifier: MIT */
/*
 * engine.h - the balancer as a function of packets and time
 *
 * A packet and the time go in, a verdict comes out; with VERDICT_SEND the
 * packet has been rewritten in place. What the engine says on its own account
 * (resets) waits in an outbox. Timers run when engine_tick() is called. No
 * system call, no clock, no log, and memory only at the start (but see
 * syn_gate.h).
 *
 * Times are nanoseconds of one clock that never goes back; the program uses
 * CLOCK_BOOTTIME, so that a suspended Pi's idle flows age.
 */
#ifndef L4LB_ENGINE_H
#define L4LB_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/answers.h"
#include "core/err.h"
#include "core/flow.h"
#include "core/pending.h"
#include "core/hearing.h"
#include "core/icmp.h"
#include "core/packet.h"
#include "core/ports.h"
#include "core/service.h"
#include "core/syn_gate.h"

#define ENGINE_NS_PER_S	  1000000000ull
#define ENGINE_PROBES_MAX 256 /* that wait to be carried out */
#define ENGINE_OUTBOX_MAX 256 /* segments; more than that are counted lost */

/* Idle limits in seconds, by state of the flow (design rule 10). */
struct engine_timeouts {
	uint32_t syn_sent;     /* no answer from the backend */
	uint32_t syn_received; /* no ACK from the client */
	uint32_t established;  /* RFC 5382 REQ-5: at least 2 h 4 min */
	uint32_t closing;      /* one or both FINs: RFC 5382, at least 4 min */
	uint32_t closed;       /* TIME_WAIT and RESET keep their mapping */
	uint32_t keepalive;    /* between the three probes before an established
				* flow expires; 0: none
				*/
};
#define ENGINE_TIMEOUTS_DEFAULT                                          \
	{                                                                \
		.syn_sent = 10, .syn_received = 60, .established = 7440, \
		.closing = 240, .closed = 60, .keepalive = 0             \
	}

struct backend_spec {
	struct endpoint addr;
	unsigned weight;
	bool backup;
	bool gone;	/* of an earlier configuration: down, only its flows */
	bool waits;	/* for a way to it; the engine does not ask */
	bool routed;	/* its source is as a route has it: may change */
	bool undrained; /* of weight 0 for another reason than to be drained:
			 * its flows go on as long as they like
			 */
	unsigned n_sources; /* at least 1 */
	/* The only one may be unset: see engine_set_source(). */
	struct ip_addr sources[SERVICE_SOURCES_MAX];
	/* Unset: none. Tried where it never answered the only source. */
	struct ip_addr alternate;
};

struct service_spec {
	struct endpoint listen;
	enum sched_kind scheduler;
	bool reset_out_of_state;
	bool drop_all_down; /* no backend: be silent; else refuse at once */
	bool mptcp_pass;    /* options of MPTCP stay in SYNs */
	bool keep_on_down;  /* a backend goes down: leave its flows alone */
	unsigned retries;   /* other backends asked for one SYN, at most 8 */
	uint32_t syn_timeout_ms;  /* before the next one is asked, at least */
	uint32_t half_open_max;	  /* 0: an eighth, at least 1024 */
	uint32_t drain_timeout_s; /* of backends of weight 0; 0: for ever */
	bool checked;
	struct check_spec check;
	struct health_params health;
	struct breaker_params breaker; /* all zero: no passive checks */
	unsigned n_backends;
	const struct backend_spec *backends;
};
#define ENGINE_RETRIES_DEFAULT	      3
#define ENGINE_SYN_TIMEOUT_MS_DEFAULT 300

enum flow_event {
	FLOW_OPENED,	   /* a SYN was given to a backend */
	FLOW_CLOSED,	   /* both sides finished, or a reset was believed */
	FLOW_REVIVED,	   /* a reset was not believed after all */
	FLOW_EXPIRED,	   /* idle for too long, and not closed before */
	FLOW_RECYCLED,	   /* not closed, but its place or port was wanted */
	FLOW_REDISPATCHED, /* its SYN was given to another backend */
};

enum backend_event {
	BACKEND_DOWN,	   /* by its health check */
	BACKEND_UP,	   /* again */
	BACKEND_EJECTED,   /* by failed handshakes of real connections */
	BACKEND_RECOVERED, /* one of them succeeded again */
	BACKEND_DRAINED,   /* its time is over, the last flows are reset */
	BACKEND_CUT_OFF, /* nothing is heard from where it is: the first one */
	BACKEND_SOURCE,	 /* it answers its alternate source, and only that */
	BACKEND_HEARD,	 /* something is again: for all of them */
};

/* A probe that somebody with sockets has to carry out. */
struct probe_request {
	unsigned service, backend;
	uint32_t number; /* give it back to engine_probe_result() */
	uint32_t timeout_ms;
	const struct check_spec *check; /* lives as long as the engine */
	struct endpoint to;
	struct ip_addr source;
};

enum way_wish {
	WAY_LOOK,
	WAY_ASK,      /* and ask whoever else is there to show himself */
	WAY_ANSWERED, /* the backend has just answered: heard by us, not by you
		       */
};

struct engine_spec {
	unsigned n_services;
	const struct service_spec *services;
	const uint16_t *ports; /* NAT ports, host byte order */
	uint32_t n_ports;
	uint32_t n_flows;
	struct flow *flows; /* memory for n_flows, zeroed, 64-byte aligned */
	struct flow_slot *slots; /* may be NULL, see flow_table_init() */
	struct engine_timeouts timeouts;
	uint64_t seed;			   /* port order */
	uint8_t secret[FLOW_SECRET_BYTES]; /* of the flow table's hash */
	/* May be NULL. Called with the flow as it is after the event. */
	void (*on_flow)(void *arg, enum flow_event event,
			const struct flow *flow);
	/* May be NULL. @why: of the probe or handshake that decided. */
	void (*on_backend)(void *arg, enum backend_event event,
			   const struct backend *b, enum check_result why);
	/* May be NULL: always. Whether this host has a way to @backend now, a
	 * route and an interface that is up: if not, silence is its own fault.
	 */
	bool (*can_reach)(void *arg, const struct ip_addr *source,
			  const struct ip_addr *backend);
	/* May be NULL: always. When anything was last heard by the way to
	 * @backend, from whomever: if nothing was since it was asked, nobody
	 * can say whether it is the backend that is silent (cut_off.c).
	 * UINT64_MAX: that is not known.
	 */
	uint64_t (*way_heard_ns)(void *arg, const struct ip_addr *source,
				 const struct ip_addr *backend,
				 enum way_wish wish);
	/* May be NULL: always. Whether @source, a backend's alternate, is ours
	 * to use already; if not, it is asked again later.
	 */
	bool (*may_use)(void *arg, const struct ip_addr *source);
	void *on_arg; /* of all of them */
	/* PROBE_PORTS ports of the NAT range, this the first, that are not in
	 * @ports: for half-open checks. 0: no such checks can be made.
	 */
	uint16_t probe_lo;
};
#define PROBE_PORTS 64

enum verdict {
	VERDICT_DROP,	  /* counted by reason, and perhaps answered */
	VERDICT_CONSUMED, /* was for the balancer itself */
	VERDICT_SEND,
};

/* A segment that the engine originates; io/inject builds it with libnet. */
struct segment {
	struct endpoint src, dst;
	uint32_t seq, ack;
	uint16_t window;
	uint8_t flags;
	bool to_backend;     /* else to a client: see engine_originate() */
	uint8_t options_len; /* bytes, a multiple of 4 */
	uint8_t options[SYN_OPTIONS_MAX];
};

struct pool {
	struct ip_addr source;
	struct endpoint backend;
	struct port_pool ports;
	uint32_t recyclable; /* ports of closed and half-open flows */
	bool away;	     /* the source is not on this host now, or unset */
	uint8_t next_probe;  /* of its half-open checks, the next port */
	bool answered;	     /* ever, or it has connections from before */
};

/* A half-open check under way: one for each pool and each port of those. */
struct half_open {
	uint32_t isn;
	uint16_t service, backend;
	bool running;
	bool repeated;
};

struct engine_counters {
	uint64_t received;  /* = forwarded + consumed + the sum of dropped */
	uint64_t forwarded; /* packets; super-packets count once */
	uint64_t consumed;
	uint64_t dropped[DROP_REASONS];
	uint64_t originated;	  /* segments put into the outbox */
	uint64_t outbox_lost;	  /* not put there, it was full */
	uint64_t answers_spared;  /* these ends were answered just now */
	uint64_t answers_limited; /* resets, ACKs not sent: too many */
	uint64_t out_of_window;	  /* forwarded, but changed nothing */
	uint64_t bad_rst;	  /* the same, resets */
	uint64_t recycled_closed, recycled_half_open, recycled_half_closed;
	uint64_t expired;      /* idle; not counting those closed before */
	uint64_t redispatched; /* SYNs given to another backend */
	uint64_t repaired;     /* answers from a backend's earlier connection */
	uint64_t reset;	       /* flows ended by resets of ours */
	uint64_t unheard;      /* silences excused, see hearing.h */
	uint64_t unreached;    /* silences while this host had no way out */
	uint64_t cut_off;      /* silences while nothing was heard at all */
	uint64_t adopted;      /* flows taken over at the start */
};

struct engine {
	struct flow_table table;
	struct wheel wheel;
	struct list_node *wheel_nodes;
	/* Flows that may be recycled, oldest first: closed ones, half-closed
	 * ones, half-open ones per service; and all three again per pool.
	 */
	struct list_node *age_nodes, *pool_nodes;
	struct pending_table pending;
	uint32_t sweep_left, sweep_at; /* flows still to look at, and where */
	uint32_t reset_at;	       /* the same of engine_reset_all() */
	struct service *services;
	unsigned n_services;
	struct pool *pools;
	uint16_t *pool_order; /* indices of pools, sorted: find_pool() */
	unsigned n_pools;
	uint16_t *port_memory;
	struct engine_timeouts timeouts;
	struct answers answers;		 /* of all of these: to whom */
	struct answer_limit limit_stray; /* resets to packets without a flow */
	struct answer_limit limit_challenge; /* ACKs to SYNs of living flows */
	struct answer_limit limit_reply;     /* the same, from backends */
	struct answer_limit
		limit_refused; /* resets to SYNs that found no place */
	struct answer_limit
		limit_killed; /* to what comes for a flow we reset */
	struct segment outbox[ENGINE_OUTBOX_MAX];
	unsigned outbox_head, outbox_used;
	struct engine_counters counters;
	void (*on_flow)(void *arg, enum flow_event event,
			const struct flow *flow);
	void (*on_backend)(void *arg, enum backend_event event,
			   const struct backend *b, enum check_result why);
	bool (*can_reach)(void *arg, const struct ip_addr *source,
			  const struct ip_addr *backend);
	uint64_t (*way_heard_ns)(void *arg, const struct ip_addr *source,
				 const struct ip_addr *backend,
				 enum way_wish wish);
	bool (*may_use)(void *arg, const struct ip_addr *source);
	void *on_arg;
	unsigned cut_off; /* backends that nothing is heard of, and around */
	uint64_t cut_since_ns; /* told since then; 0: not, or it is over */
	uint64_t over_ns;      /* one that was told ended; 0: never */
	struct hearing hearing;
	struct syn_gate gate;
	struct random random; /* jitter, sequence numbers of probes */
	uint64_t checks_due_ns;
	uint8_t nat_ports[8192]; /* bitmap: those that pools were filled with */
	uint16_t probe_lo;
	struct half_open *half_open; /* n_pools * PROBE_PORTS */
	unsigned checks_from; /* the service that was last seen to first */
	struct probe_request probes[ENGINE_PROBES_MAX];
	unsigned probes_head, probes_used;
};

/* -ENOMEM, or -EINVAL when the spec cannot be (too many of something). */
int engine_new(struct engine **out, const struct engine_spec *spec,
	       uint64_t now_ns, struct err *err);
void engine_free(struct engine *e);

/*
 * Takes over the flows that an earlier process left in the memory given to
 * engine_new() (design rule 13): call before the first packet. Those that are
 * not whole, or whose service, backend or port is no longer ours, are cleared.
 * Returns how many live on. -ENOMEM.
 */
int64_t engine_adopt(struct engine *e, uint64_t now_ns, uint32_t *refused);

/*
 * Ends all flows by resets, for a clean exit: as many as the outbox has room
 * for. Send those and call again until it returns false.
 */
bool engine_reset_all(struct engine *e, uint64_t now_ns);

/*
 * What this host has, as it comes and goes (away.c): the address of a service,
 * one of ours toward backends, and the way to a backend, which decides its
 * source where that was unset in the spec, or is another one now. False: other
 * services have that backend by its source of before, so it stays. Unless it is
 * down for them, too, and theirs is as a route has it: then theirs changes.
 */
void engine_set_service_away(struct engine *e, unsigned service, bool away);
void engine_set_source_away(struct engine *e, const struct ip_addr *source,
			    bool away);
bool engine_set_source(struct engine *e, unsigned service, unsigned backend,
		       const struct ip_addr *source);

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

/*
 * A SYN of @from's was made to announce at most @mss (0: any) to its peer @to,
 * both as they know each other through us: longer segments than that do not
 * come for it, see packet.out_mss.
 */
void engine_announced(struct engine *e, const struct endpoint *from,
		      const struct endpoint *to, uint16_t mss);

/*
 * An ICMP error that came to one of our addresses. With VERDICT_SEND it was
 * translated and @m->msg is to be sent on.
 */
enum verdict engine_icmp(struct engine *e, struct icmp_error *m,
			 uint64_t now_ns);

/* A frame that packet_parse() or icmp_parse() refused. */
void engine_refused(struct engine *e, enum drop_reason why);

/* Packets with VERDICT_SEND that could not be sent. */
void engine_unsent(struct engine *e, enum drop_reason why, uint64_t count);

/*
 * What the captures had for us; whoever does not answer is judged by it. All
 * that had come by @until_ns was given to engine_packet(); and of what came
 * since the last call, @lost frames were not, and @seen were.
 */
void engine_heard(struct engine *e, uint64_t until_ns);
void engine_lost(struct engine *e, uint64_t seen, uint64_t lost,
		 uint64_t now_ns);

/*
 * The same of clients' SYNs, which have a ring of their own (syn_gate.h): some
 * were lost; and a turn of reading them begins, of how many at the most.
 */
void engine_syns_lost(struct engine *e, uint64_t now_ns);
unsigned engine_syn_turn(struct engine *e, uint64_t now_ns);

/* The oldest originated segment; false if there is none. */
bool engine_next(struct engine *e, struct segment *out);

/* The oldest probe to carry out; false if there is none. */
bool engine_next_probe(struct engine *e, struct probe_request *out);
void engine_probe_result(struct engine *e, unsigned service, unsigned backend,
			 uint32_t number, enum check_result result,
			 uint64_t now_ns);

/*
 * Runs what is due: at most @budget timers of flows, checks, sweeps, and as
 * much of them as the outbox has room for. Returns when to call again:
 * WHEEL_IDLE if nothing is timed; @now_ns if something is left to do (fetch
 * what was originated first).
 */
uint64_t engine_tick(struct engine *e, uint64_t now_ns, unsigned budget);

static inline struct backend *engine_backend(const struct engine *e,
					     const struct flow *f)
{
	return &e->services[f->service].backends[f->backend];
}

#endif
