/* SPDX-License-Identifier: MIT */
/*
 * engine.h - the balancer as a function of packets and time
 *
 * A packet and the time go in, a verdict comes out; with VERDICT_SEND the
 * packet has been rewritten in place. Segments that the engine originates
 * (resets) wait in an outbox. Timers run when engine_tick() is called. The
 * engine makes no system call, reads no clock, writes no log, and allocates
 * memory only at the start (but see syn_gate.h).
 *
 * Times are nanoseconds of one monotonic clock (clock.h).
 */
#ifndef L4LB_ENGINE_H
#define L4LB_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/drop.h"
#include "core/err.h"
#include "core/flow.h"
#include "core/params.h"

struct engine;
struct icmp_error;
struct packet;
struct segment;

#define ENGINE_OUTBOX_MAX 256 /* segments; any more are lost, and counted */
#define ENGINE_LINKS_MAX  256 /* toward backends; any more are not judged */

#define ENGINE_SERVICES_MAX 64	 /* slots, if no more are given at the start */
#define ENGINE_POOLS_MIN    1024 /* the least default of pools_max */

struct backend_spec {
	struct endpoint addr;
	struct backend_params params;
	bool unused; /* the slot stays free */
	bool gone;   /* no longer configured: it leaves, see params.then */
	bool waits;  /* no route to it yet; the engine ignores this */
	bool routed; /* a route chose its source: may change */
	unsigned n_sources; /* at least 1 */
	/* A single source may be unset: see engine_set_source(). */
	struct ip_addr sources[SERVICE_SOURCES_MAX];
	/* Unset: none. Used if the backend never answered its only source. */
	struct ip_addr alternate;
};

struct service_spec {
	bool unused; /* the slot stays free */
	struct endpoint listen;
	struct service_params params;
	unsigned n_backends; /* slots, perhaps with holes */
	const struct backend_spec *backends;
};

enum flow_event {
	FLOW_OPENED,	   /* its SYN was sent to a backend */
	FLOW_ENDED,	   /* closed, or left the table; see note.h */
	FLOW_REVIVED,	   /* it goes on: a reset was not accepted after all */
	FLOW_REDISPATCHED, /* its SYN was sent to another backend */
};

enum backend_event {
	BACKEND_DOWN,	   /* its health check failed */
	BACKEND_UP,	   /* its health check succeeds again */
	BACKEND_EJECTED,   /* handshakes of real connections failed */
	BACKEND_RECOVERED, /* such a handshake succeeded again */
	BACKEND_DRAINED,   /* drain_timeout is over, its last flows are reset */
	BACKEND_CUT_OFF,   /* first backend whose link is silent */
	BACKEND_SOURCE,	   /* it answers only its alternate source */
	BACKEND_PROVEN,	   /* a newcomer's first check succeeded */
	BACKEND_HEARD,	   /* the silence of the links is over, for all */
};

/* A probe that the caller carries out with sockets. */
struct probe_request {
	unsigned service, backend;
	uint32_t number; /* pass it to engine_probe_result() */
	uint32_t timeout_ms;
	struct check_spec check;
	struct endpoint to;
	struct ip_addr source;
};

struct engine_spec {
	unsigned n_services; /* slots, perhaps with holes */
	const struct service_spec *services;
	/* Pairs of one of our addresses and a backend, as many as there may
	 * ever be at a time. 0: twice those at the start, at least
	 * ENGINE_POOLS_MIN.
	 */
	unsigned pools_max;
	const uint16_t *ports; /* NAT ports, host byte order; copied */
	uint32_t n_ports;
	uint32_t n_flows;
	struct flow *flows; /* memory for n_flows, zeroed, 64-byte aligned */
	/* May be NULL, see flow_table_init(). */
	struct flow_slot *slots;
	struct flow_note *notes;
	struct engine_timeouts timeouts;
	uint64_t seed;			   /* port order */
	uint8_t secret[FLOW_SECRET_BYTES]; /* of the flow table's hash */
	/* May be NULL. Called with the flow as it is after the event; one that
	 * leaves the table at once has its last state, and RESET or TIME_WAIT
	 * otherwise when it has ended.
	 */
	void (*on_flow)(void *arg, enum flow_event event,
			const struct flow *flow, const struct flow_note *note);
	/* May be NULL. A SYN to @service opened no flow. */
	void (*on_refused)(void *arg, unsigned service,
			   const struct endpoint *client, enum drop_reason why);
	/* May be NULL. @why: result of the deciding probe or handshake.
	 * engine_view_backend() shows the backend as it is after the event.
	 */
	void (*on_backend)(void *arg, enum backend_event event,
			   unsigned service, unsigned backend,
			   enum check_result why);
	void *on_arg; /* for all callbacks */
	/* The first of PROBE_PORTS ports of the NAT range for half-open checks.
	 * They are not in @ports. 0: half-open checks are impossible.
	 */
	uint16_t probe_lo;
};
#define PROBE_PORTS 64

enum verdict {
	VERDICT_DROP,	  /* counted by reason; the engine may have answered */
	VERDICT_CONSUMED, /* it was for the balancer itself */
	VERDICT_SEND,
};

/* -ENOMEM, or -EINVAL if the spec exceeds a limit. */
int engine_new(struct engine **out, const struct engine_spec *spec,
	       uint64_t now_ns, struct err *err);
void engine_free(struct engine *e);

/*
 * Takes over the flows that an earlier process left in the memory given to
 * engine_new() (design rule 13). Call it before the first packet. It clears
 * flows that are not whole, or whose service, backend or port is no longer
 * ours. Returns the number of flows kept, or -ENOMEM.
 */
int64_t engine_adopt(struct engine *e, uint64_t now_ns, uint32_t *refused);

/*
 * For a clean exit. engine_refuse_new(): from now on SYNs that would open a
 * flow are refused by a RST, whatever drop_all_down is. engine_reset_all():
 * ends all flows by resets, as many per call as the outbox has room for; send
 * those and call again until it returns false.
 */
void engine_refuse_new(struct engine *e);
bool engine_reset_all(struct engine *e, uint64_t now_ns);

/*
 * Reports what this host gains or loses (away.c): the address of a service, one
 * of our source addresses, and the source that the route toward a backend
 * prefers. An alternate source is away until it is reported as there.
 *
 * engine_set_source() sets a source that was unset or has changed. It returns
 * false, and the source stays, if another service shares the pool and must keep
 * it. That service need not keep it if the backend is down there too and its
 * source was also chosen by a route; it is told by a call of its own. A backend
 * that is not SLOT_LIVE changes nothing.
 */
void engine_set_service_away(struct engine *e, unsigned service, bool away);
void engine_set_source_away(struct engine *e, const struct ip_addr *source,
			    bool away);
bool engine_set_source(struct engine *e, unsigned service, unsigned backend,
		       const struct ip_addr *source);

/*
 * Takes an alternate source that the engine would use but that is away; false
 * if there is none. Once the program holds it (against the kernel and other
 * instances), it calls engine_set_source_away(). Else the engine asks again.
 */
bool engine_next_wanted(struct engine *e, struct ip_addr *out);

/*
 * How backends are reached, for judging silence (cut_off.c). A way is a pair of
 * our address and a backend; they are numbered from 0 on. The address is unset
 * if it is not known, or if no backend uses the way at present.
 * Report a change of its link at once: WAY_NONE if this host has no route, or
 * the interface is down; then silence says nothing about the backend. WAY_OPEN,
 * also before the first report, if no link is to be judged: it is not known, or
 * the backend is on this host. Otherwise a number above 0, the same for all
 * ways by the link.
 */
#define WAY_NONE 0
#define WAY_OPEN (-1)
unsigned engine_n_ways(const struct engine *e);
void engine_way(const struct engine *e, unsigned way, struct ip_addr *source,
		struct ip_addr *backend);
void engine_set_way(struct engine *e, unsigned way, int link);

/*
 * When anything was last heard on a link, from any host. If that was before a
 * backend was asked, either the backend or the link may be silent. So report it
 * before engine_tick(), engine_icmp() and engine_probe_result(). An older time
 * than the last changes nothing, nor does a link that leads to no backend.
 *
 * engine_link(), for @i below engine_n_links(), returns the link of that place,
 * or 0 if it is free.
 */
unsigned engine_n_links(const struct engine *e);
int engine_link(const struct engine *e, unsigned i);
void engine_link_heard(struct engine *e, int link, uint64_t when_ns);

/*
 * Takes a link whose neighbours should be made to answer, as it may be silent;
 * false if there is none.
 */
bool engine_next_ask(struct engine *e, int *link);

/*
 * The first step, for all @n packets of a batch: hashes them and prefetches
 * their flows. So the memory of one packet is on its way while the others are
 * worked on.
 */
void engine_prepare(const struct engine *e, struct packet *packets, unsigned n);

/* The second step, for each of them in turn. */
enum verdict engine_packet(struct engine *e, struct packet *p, uint64_t now_ns);

/*
 * A SYN from @from to @to now announces at most @mss (0: unchanged). Both are
 * the endpoints of the rewritten SYN. Longer segments toward @from are cut, see
 * packet.out_mss.
 */
void engine_announced(struct engine *e, const struct endpoint *from,
		      const struct endpoint *to, uint16_t mss);

/*
 * An ICMP error sent to one of our addresses. With VERDICT_SEND it has been
 * translated, and @m->msg is to be sent.
 */
enum verdict engine_icmp(struct engine *e, struct icmp_error *m,
			 uint64_t now_ns);

/* A frame that l3_parse(), packet_parse() or icmp_parse() refused. */
void engine_refused(struct engine *e, enum drop_reason why);

/* Packets with VERDICT_SEND that could not be sent. */
void engine_unsent(struct engine *e, enum drop_reason why, uint64_t count);

/*
 * What the captures delivered; timeouts are judged by it. engine_heard(): every
 * frame that arrived by @until_ns was given to engine_packet(). engine_lost():
 * since the last call @seen frames were captured and @lost were not.
 */
void engine_heard(struct engine *e, uint64_t until_ns);
void engine_lost(struct engine *e, uint64_t seen, uint64_t lost,
		 uint64_t now_ns);

/*
 * The same for clients' SYNs, which have their own ring (syn_gate.h).
 * engine_syns_lost(): some were lost. engine_syn_turn(): a turn of reading
 * begins; returns how many to read at most.
 */
void engine_syns_lost(struct engine *e, uint64_t now_ns);
unsigned engine_syn_turn(struct engine *e, uint64_t now_ns);

/* Takes the oldest originated segment; false if there is none. */
bool engine_next(struct engine *e, struct segment *out);

/*
 * Checks that the caller carries out with sockets. engine_count_probed(): the
 * number of backends that have such a check. engine_next_probe() takes the
 * oldest one to carry out; false if there is none.
 */
unsigned engine_count_probed(const struct engine *e);
bool engine_next_probe(struct engine *e, struct probe_request *out);
void engine_probe_result(struct engine *e, unsigned service, unsigned backend,
			 uint32_t number, enum check_result result,
			 uint64_t now_ns);

/*
 * Runs at most @budget flow timers, and checks and sweeps that are due, as far
 * as the outbox has room. Returns when to call again: WHEEL_IDLE if nothing is
 * timed; @now_ns if work is left (first fetch the originated segments).
 */
uint64_t engine_tick(struct engine *e, uint64_t now_ns, unsigned budget);

/* A random number that follows from the engine's seed. */
uint64_t engine_random(struct engine *e);

#endif
