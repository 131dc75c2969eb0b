/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/counting.h"
#include "core/health/cut_off.h"
#include "core/health/evidence.h"
#include "core/handshake.h"
#include "core/lifecycle.h"
#include "core/opening.h"
#include "core/pending.h"
#include "core/room.h"
#include "core/say.h"
#include "core/sched/choose.h"
#include "core/state.h"

#define REPAIRS_MAX 2 /* first on the same port, then from another */

enum { OPT_END = 0, OPT_NOP = 1, OPT_FAST_OPEN = 34, OPT_EXPERIMENT = 254 };

/*
 * Restarts the wait for an answer: the client has just repeated its SYN, or an
 * answer may have been lost here. An answer may still be to the earlier SYN, so
 * it must not be timed.
 */
static void wait_anew(struct engine *e, const struct flow *flow,
		      struct pending_syn *pend, uint64_t now_ns)
{
	pend->sent_ns = now_ns;
	pend->repeated = true;
	engine_set_timer(e, flow);
}

void handshake_repeated(struct engine *e, struct flow *flow,
			const struct packet *syn, uint64_t now_ns)
{
	/* An earlier process opened this flow: keep the copy of its SYN. */
	if (!flow->pending)
		pending_open(e, flow, syn, now_ns);
	if (!flow->pending)
		return;
	/* Two backends must not get the same data (Fast Open). */
	pending_of(e, flow)->exhausted |= syn->payload_len > 0;
	wait_anew(e, flow, pending_of(e, flow), now_ns);
	pending_of(e, flow)->unheard = false;
}

/* ------------------------------------------------- what the breaker hears */

/*
 * The SYN was answered, so the backends that did not answer it before failed.
 * They are forgiven if the flow is older than the end of the last silence of
 * the links: their answers may have been lost in it (cut_off.c).
 */
static void succeeded(struct engine *e, const struct flow *flow,
		      struct pending_syn *pend, uint64_t now_ns)
{
	const struct endpoint client = flow_client(flow);

	if (!pend || !pend->has_ticket)
		return;
	pend->has_ticket = false;
	engine_backend_answered(e, engine_backend(e, flow), pend->ticket,
				now_ns);
	for (unsigned i = 0; i < pend->retries; i++) {
		struct asked *asked = &pend->tried[i];
		struct backend *b = pending_tried(e, flow, pend, i);

		if (asked->why != CHECK_OK && flow->opened_ns < e->over_ns)
			breaker_abandon(&b->breaker, asked->ticket);
		else if (asked->why != CHECK_OK)
			engine_backend_failed(e, b, asked->ticket, &client.addr,
					      (enum check_result)asked->why,
					      now_ns);
		asked->why = CHECK_OK;
	}
}

/*
 * The backend refused, was silent or cannot be reached. That may not be the
 * backend's fault: every backend refuses or ignores some SYNs (with MPTCP or
 * TCP-MD5 options), and anybody can send those. So the failure counts only if
 * another backend has answered the same SYN, or if checks fail as well; until
 * then it only makes the next check come soon. If no other backend can be
 * asked, the failure counts too, but the breaker opens only after failures of
 * two clients.
 */
static void failed(struct engine *e, const struct flow *flow,
		   struct pending_syn *pend, enum check_result why,
		   uint64_t now_ns)
{
	const struct endpoint client = flow_client(flow);

	if (!pend || !pend->has_ticket)
		return;
	pend->has_ticket = false;
	engine_backend_failed(e, engine_backend(e, flow), pend->ticket,
			      &client.addr, why, now_ns);
}

/* ------------------------------------------------------------ sending it */

static void send_syn(struct engine *e, const struct flow *flow,
		     struct pending_syn *pend, uint64_t now_ns)
{
	struct segment syn = {
		.src = flow->pair[FLOW_REPLY].dst,
		.dst = flow->pair[FLOW_REPLY].src,
		.seq = pend->isn,
		.flags = pend->flags,
		.window = pend->window,
		.options_len = pend->options_len,
	};

	memcpy(syn.options, pend->options, pend->options_len);
	engine_originate(e, &syn);
	pend->sent_ns = now_ns;
	pend->unheard = false;
	engine_set_timer(e, flow);
}

/*
 * Moves the flow to @b and to a port of @pool. Its old port goes to the end of
 * the queue; a late answer to that port finds no flow and is reset (rule 9).
 */
static void move_flow(struct engine *e, struct flow *flow, struct backend *b,
		      unsigned pool)
{
	struct backend *was = engine_backend(e, flow);
	struct flow_identity id = {
		.client = flow_client(flow),
		.vip = flow_vip(flow),
		.nat = engine_take_nat(e, pool),
		.backend = b->addr,
		.proto = flow->proto,
		.service_index = flow->service,
		.backend_index = (uint16_t)b->index,
		.pool = (uint16_t)pool,
	};
	uint16_t old_port = ntohs(flow_nat(flow).port);
	unsigned old_pool = flow->pool;

	was->refs--;
	was->flows--;
	b->refs++;
	b->flows++;
	engine_unlist_flow(e, flow);
	flow_rebind(&e->table, flow, &id);
	ports_give(&e->pools[old_pool].ports, old_port);
	engine_list_flow(e, flow);
	if (b != was)
		counting_moved(e, flow, was);
}

/*
 * Sends the client's SYN to a backend not tried yet. @kind: how the last one
 * failed. @why: the same as evidence; it counts if the next backend answers.
 */
static bool ask_another(struct engine *e, struct flow *flow,
			enum backend_failure kind, enum check_result why,
			uint64_t now_ns)
{
	struct service *s = &e->services[flow->service];
	struct pending_syn *pend = pending_of(e, flow);
	const struct endpoint client = flow_client(flow);
	struct sched_question question = {.client = &client, .now_ns = now_ns};
	struct sched_why reasons;
	struct choice choice;

	if (!pend || pend->exhausted || pend->retries >= s->params.retries)
		return false;
	for (unsigned i = 0; i < pend->retries; i++)
		backend_set_add(&question.tried, pend->tried[i].backend);
	backend_set_add(&question.tried, flow->backend);
	choice = engine_pick(e, s, &question, &reasons, flow);
	if (!choice.backend) {
		pend->exhausted = true;
		return false;
	}
	sched_commit(s, choice.backend, &reasons);
	counting_failed(e, flow, kind);
	if (!pend->has_ticket)
		why = CHECK_OK;
	else if (why == CHECK_OK)
		breaker_abandon(&engine_backend(e, flow)->breaker,
				pend->ticket);
	engine_backend(e, flow)->tried++;
	pend->tried[pend->retries++] = (struct asked){
		.backend = flow->backend & 0xff,
		.ticket = pend->ticket % BREAKER_TICKETS,
		.why = why & 3,
	};
	pend->repairs = 0;
	pend->repeated = false;
	move_flow(e, flow, choice.backend, choice.pool);
	pending_begin(e, flow, pend, now_ns);
	e->counters.redispatched++;
	send_syn(e, flow, pend, now_ns);
	engine_notify(e, FLOW_REDISPATCHED, flow);
	return true;
}

/* ------------------------------------------------------------ the answer */

/*
 * A bare ACK: the backend remembers an earlier connection on this port, in
 * TIME_WAIT or ESTABLISHED (RFC 9293 section 3.10.7.4). We send the RST that
 * its peer would send, which clears the connection, and the SYN again. This is
 * not the backend's fault and costs no retry.
 */
static void repair(struct engine *e, struct flow *flow, const struct packet *p,
		   uint64_t now_ns)
{
	struct pending_syn *pend = pending_of(e, flow);
	struct segment rst = {
		.src = p->key.pair.dst,
		.dst = p->key.pair.src,
		.seq = p->tcp.ack,
		.flags = TCP_RST,
	};

	engine_originate(e, &rst);
	e->counters.repaired++;
	if (!pend || pend->repairs >= REPAIRS_MAX)
		return; /* the client's next SYN tries again */
	if (pend->repairs++ > 0) {
		struct backend *b = engine_backend(e, flow);
		int pool = engine_pick_pool(e, b, AGE_HALF_OPEN, flow);

		if (pool >= 0)
			move_flow(e, flow, b, (unsigned)pool);
	}
	send_syn(e, flow, pend, now_ns);
}

/* The backend refused or is unreachable. True: another backend is asked. */
static bool leave(struct engine *e, struct flow *flow,
		  enum backend_failure kind, enum check_result why,
		  uint64_t now_ns)
{
	struct pending_syn *pend = pending_of(e, flow);
	struct backend *b = engine_backend(e, flow);

	engine_suspect(e, b, now_ns);
	if (engine_fails_checks(e, b))
		failed(e, flow, pend, why, now_ns);
	if (ask_another(e, flow, kind, why, now_ns))
		return true;
	if (pend && pend->retries == 0) /* no other backend could be asked */
		failed(e, flow, pend, why, now_ns);
	return false;
}

static void answered(struct engine *e, struct flow *flow, uint64_t now_ns)
{
	struct pending_syn *pend = pending_of(e, flow);
	struct backend *b = engine_backend(e, flow);
	uint64_t took_ns;

	succeeded(e, flow, pend, now_ns);
	if (!pend || pend->repeated) /* Karn: an answer to which SYN? */
		return;
	took_ns = now_ns - pend->sent_ns;
	if (took_ns > e->timeouts.syn_sent * NS_PER_S)
		return; /* this process was suspended */
	histogram_add(&b->counters.handshake, took_ns);
	b->counters.last_handshake_ns = took_ns;
	b->handshake_at_ns = now_ns;
	if (b->handshake_ns == 0)
		b->handshake_ns = took_ns;
	else /* weight 1/8, as in RFC 6298 */
		b->handshake_ns += took_ns / 8 - b->handshake_ns / 8;
}

bool handshake_answer(struct engine *e, struct flow *flow,
		      const struct packet *p, uint64_t now_ns)
{
	const uint8_t flags = p->tcp.flags;
	bool ours = tcp_track_acks_syn(&flow->tcp, &p->tcp);

	if (flags & TCP_RST) {
		if (!ours)
			return false; /* forged or old: forward it, count it */
		return leave(e, flow, FAILURE_REFUSED, CHECK_REFUSED, now_ns);
	}
	if (!(flags & TCP_SYN)) {
		/* A bare ACK of our SYN overtook the SYN-ACK: it belongs to
		 * this connection, not to an earlier one.
		 */
		if (ours || !(flags & TCP_ACK))
			return false;
		repair(e, flow, p, now_ns);
		return true;
	}
	if (ours)
		answered(e, flow, now_ns);
	return false;
}

/* True if the backend is silent, not the whole link toward it. */
static bool is_silent(struct engine *e, const struct flow *flow,
		      struct pending_syn *pend, uint64_t now_ns)
{
	const enum silence silence = engine_silence(e, engine_backend(e, flow),
						    pend->sent_ns, now_ns);

	pend->cut |= silence == SILENCE_OURS;
	return silence == SILENCE_OWN;
}

bool handshake_was_cut(const struct engine *e, const struct flow *flow)
{
	const struct pending_syn *pend = pending_of(e, flow);

	return pend && pend->cut;
}

/* This host, too, sends such an error if a neighbour does not answer ARP. */
bool handshake_unreachable(struct engine *e, struct flow *flow, uint64_t now_ns)
{
	struct pending_syn *pend = pending_of(e, flow);

	flow_note(&e->table, flow)->flags |= NOTE_UNREACHABLE;
	if (!pend)
		return false;
	/* This host's errors about SYNs sent while it was cut off arrive after
	 * that has ended; by then the backend may have been heard again.
	 */
	if (is_silent(e, flow, pend, now_ns) && !pend->cut)
		return leave(e, flow, FAILURE_UNREACHABLE, CHECK_UNREACHABLE,
			     now_ns);
	/* If we may be cut off, the client gets no error and keeps trying. */
	ask_another(e, flow, FAILURE_UNREACHABLE, CHECK_OK, now_ns);
	return true;
}

bool handshake_leave(struct engine *e, struct flow *flow, uint64_t now_ns)
{
	return ask_another(e, flow, FAILURE_ABANDONED, CHECK_OK, now_ns);
}

bool handshake_late(struct engine *e, struct flow *flow, uint64_t now_ns)
{
	struct pending_syn *pend = pending_of(e, flow);
	bool silent;

	if (!pend)
		return false;
	if (engine_excuses(e, engine_backend(e, flow), pend->sent_ns, now_ns)) {
		/* The answer may be here already, or be sent again; asking
		 * other backends would add load.
		 */
		if (now_ns >= pending_end_ns(e, flow))
			return false;
		wait_anew(e, flow, pend, now_ns);
		pend->unheard = true;
		return true;
	}
	/* A backend whose answer may be lost owes none until asked again. */
	silent = !pend->unheard && is_silent(e, flow, pend, now_ns);
	engine_suspect(e, engine_backend(e, flow), now_ns);
	/* Count it now: at the end no other backend's answer can confirm it. */
	if (silent && engine_fails_checks(e, engine_backend(e, flow)))
		failed(e, flow, pend, CHECK_TIMEOUT, now_ns);
	if (now_ns < pending_end_ns(e, flow) &&
	    ask_another(e, flow, FAILURE_TIMEOUT,
			silent ? CHECK_TIMEOUT : CHECK_OK, now_ns))
		return true;
	/* No other backend is ever asked, so there will be no more evidence. */
	if (e->services[flow->service].params.retries == 0 && silent)
		failed(e, flow, pend, CHECK_TIMEOUT, now_ns);
	return false;
}
