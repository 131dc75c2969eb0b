/* SPDX-License-Identifier: MIT */
/*
 * engine_internal.h - what the parts of the engine need of each other
 *
 * engine.c      one packet, one tick      lifecycle.c  open, move, close a flow
 * handshake.c   until the SYN-ACK         reset.c      resets and their sweep
 * engine_new.c  construction, takeover    checks.c     up, down, draining
 * half_open.c   the engine's own check    cut_off.c    whose silence it is
 */
#ifndef L4LB_ENGINE_INTERNAL_H
#define L4LB_ENGINE_INTERNAL_H

#include <arpa/inet.h>

#include "core/engine.h"

/*
 * Lists of flows that may be recycled, in the order in which they are. The
 * last one is of those that one side has finished, by when they were last
 * heard of.
 */
enum age_list { AGE_CLOSED, AGE_HALF_OPEN, AGE_HALF_CLOSED, AGE_LISTS };

/* ------------------------------------------------------- lifecycle.c */

/*
 * A list for all closed flows, one for all half-closed ones, one per service
 * for half-open ones.
 */
#define AGE_HEADS 2 /* and as many as there are services */

static inline uint32_t closed_head(const struct engine *e)
{
	return e->table.size;
}

static inline uint32_t half_closed_head(const struct engine *e)
{
	return e->table.size + 1;
}

static inline uint32_t half_open_head(const struct engine *e, unsigned service)
{
	return e->table.size + AGE_HEADS + service;
}

/* And all kinds once more for each pool of ports. */
static inline uint32_t pool_head(const struct engine *e, unsigned pool,
				 enum age_list list)
{
	return e->table.size + pool * AGE_LISTS + list;
}

uint64_t engine_deadline_ns(const struct engine *e, const struct flow *flow);
/* By that, as it is now. */
void engine_set_timer(struct engine *e, const struct flow *flow);

/* Puts the flow into the lists that its state and its port ask for, or only
 * out of those that it is in: before either becomes another service's or
 * pool's.
 */
void engine_list_flow(struct engine *e, struct flow *flow);
void engine_unlist_flow(struct engine *e, struct flow *flow);

/* A packet of a half-closed flow came: it is the last to be recycled. */
void engine_flow_moves(struct engine *e, struct flow *flow);

/*
 * Everything that follows from a change of state, wherever it came from.
 * @ending: the event to tell if the flow is closed now and was not before.
 */
void engine_state_changed(struct engine *e, struct flow *flow,
			  enum tcp_state was, enum flow_event ending);

/* A new flow for the SYN @p, or NULL and why not. */
struct flow *engine_open_flow(struct engine *e, unsigned service,
			      const struct packet *p, uint64_t now_ns,
			      enum drop_reason *why);
void engine_close_flow(struct engine *e, struct flow *flow);

/* The same for a flow that may not be over: somebody else wants its place. */
void engine_displace_flow(struct engine *e, struct flow *flow);

/* The backend refused it or did not answer: counted once for each backend. */
void engine_count_failed(struct engine *e, struct flow *flow);

static inline bool engine_is_nat_port(const struct engine *e, uint16_t port)
{
	return e->nat_ports[port / 8] >> port % 8 & 1;
}

/*
 * A backend of @s, not in @tried, and a pool that has a port toward it.
 * Recycles closed and half-open flows, then half-closed ones, where no backend
 * has a port without; but never @except.
 */
struct backend *engine_pick(struct engine *e, struct service *s,
			    const struct backend_set *tried,
			    const struct flow *except, int *pool,
			    enum drop_reason *why, uint64_t now_ns);
int engine_pick_pool(struct engine *e, struct backend *b, enum age_list last,
		     const struct flow *except);
struct endpoint engine_take_nat(struct engine *e, unsigned pool);

static inline void engine_notify(struct engine *e, enum flow_event event,
				 const struct flow *flow)
{
	if (e->on_flow)
		e->on_flow(e->on_arg, event, flow);
}

/* ------------------------------------------------------ engine_new.c */

/* The one by which we speak from @source to @backend, or -1. O(log pools). */
int engine_find_pool(const struct engine *e, const struct ip_addr *source,
		     const struct endpoint *backend);

/* Again, after the source of one has changed. */
void engine_order_pools(struct engine *e);

/* ------------------------------------------------------------ away.c */

/* None of our addresses toward it is on this host, or known. */
bool engine_all_away(const struct engine *e, const struct backend *b);

/* ---------------------------------------------------------- engine.c */

/* Of the one that listens there, or -1. */
int engine_find_service(const struct engine *e, const struct endpoint *listen);

/* ----------------------------------------------------------- reset.c */

#define SEGMENTS_A_RESET 4 /* of one flow, both sides, at the most */

/*
 * What resets many flows at once goes on only while those of one more have
 * room below @most: the rest waits until these are on the wire.
 */
static inline bool engine_has_room(const struct engine *e, unsigned most)
{
	return e->outbox_used + SEGMENTS_A_RESET <= most;
}

/* False if the outbox is full. */
bool engine_originate(struct engine *e, const struct segment *seg);

/* RFC 9293 section 3.10.7.1, at most as often as @limit and answers.h allow. */
void engine_answer_reset(struct engine *e, const struct packet *p,
			 struct answer_limit *limit, uint64_t now_ns);

/*
 * Ends a flow by resets that both sides believe (design rule 7). The mapping
 * stays to answer challenge ACKs.
 */
void engine_reset_flow(struct engine *e, struct flow *flow,
		       enum flow_event ending, uint64_t now_ns);

/* One side only; used where the other must not or need not be told. */
void engine_reset_side(struct engine *e, const struct flow *flow,
		       enum flow_side side);

/*
 * A SYN for a connection that was answered: the client has forgotten it, or
 * somebody guesses. The challenge ACK of RFC 5961 section 4.2 finds out: who
 * is new answers with the reset that clears both us and the backend, and comes
 * again. Passed on, the SYN might open a connection that we do not follow.
 */
void engine_challenge(struct engine *e, const struct flow *flow,
		      const struct packet *syn, uint64_t now_ns);

/* Asks one side whether it is still there (RFC 9293 section 3.8.4). */
void engine_keepalive(struct engine *e, const struct flow *flow,
		      enum flow_side side);

/* Resets some flows of backends that are to be swept; false: nothing to do. */
bool engine_sweep(struct engine *e, uint64_t now_ns);
void engine_start_sweep(struct engine *e, struct backend *b);

/* ---------------------------------------------------------- checks.c */

/* What traffic says about a backend (passive checks). */
void engine_backend_answered(struct engine *e, struct backend *b,
			     uint32_t ticket, uint64_t now_ns);
void engine_backend_failed(struct engine *e, struct backend *b, uint32_t ticket,
			   const struct ip_addr *client, enum check_result why,
			   uint64_t now_ns);

/* Its checks fail at present, or have failed it. */
static inline bool engine_fails_checks(const struct engine *e,
				       const struct backend *b)
{
	return e->services[b->service].checked &&
	       (!b->up || b->health.streak > 0);
}

/* It may be gone: the active check is to ask soon, where there is one. */
void engine_suspect(struct engine *e, struct backend *b, uint64_t now_ns);

/* Of the half-open check of @b that is under way. */
void engine_half_open_result(struct engine *e, struct backend *b,
			     enum check_result result, uint64_t now_ns);

/* Starts probes, times out what is late at @heard_ns; when to call again. */
uint64_t engine_run_checks(struct engine *e, uint64_t heard_ns,
			   uint64_t now_ns);

/*
 * True if what @b may have answered since @sent_ns may have been lost in our
 * captures: its silence is no evidence.
 */
bool engine_excuses(struct engine *e, struct backend *b, uint64_t sent_ns,
		    uint64_t now_ns);

void engine_tell(struct engine *e, enum backend_event event,
		 const struct backend *b, enum check_result why);

/* --------------------------------------------------------- cut_off.c */

#define SILENCES_TOLD 3 /* of an unchecked backend: then it is told */

enum silence {
	SILENCE_OWN,	/* the backend's: it counts */
	SILENCE_OURS,	/* it says nothing, and what it was asked is over */
	SILENCE_UNSURE, /* others have just been asked: look again soon */
};

/* @b has not answered what it was asked at @asked_ns. */
enum silence engine_silence(struct engine *e, struct backend *b,
			    uint64_t asked_ns, uint64_t now_ns);

/* From now on @b is reached from its other source. */
void engine_swap_source(struct backend *b, uint64_t now_ns);

/* And at once, if another service has found that it answers that one only. */
void engine_settle_source(struct engine *e, struct backend *b, uint64_t now_ns);

/* @b is being asked; it answered, whatever. */
void engine_asks(struct engine *e, struct backend *b, uint64_t now_ns);
void engine_heard_from(struct engine *e, struct backend *b, uint64_t now_ns);
/* The same of a check. */
void engine_probed(struct engine *e, struct backend *b, uint64_t now_ns);

/* ------------------------------------------------------- half_open.c */

int half_open_init(struct engine *e); /* -ENOMEM */

/* False: it could not be asked now. */
bool half_open_start(struct engine *e, struct backend *b, unsigned pool);

/* The check of @b that is under way, if there is one, is decided. */
void half_open_over(struct backend *b);

/* True if @p came to a port of these checks: it was dealt with. */
bool half_open_answer(struct engine *e, const struct packet *p,
		      uint64_t now_ns);

#endif
