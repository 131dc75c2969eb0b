/* SPDX-License-Identifier: MIT */
/*
 * checks.c - which backends are up: half-open probes, the results of probes
 * that others carry out, and what real handshakes say
 *
 * The half-open check is the engine's own: SYN from one of 64 ports of the NAT
 * range, which flows never get, so that guard and kernel filter cover it;
 * SYN-ACK or RST decides, and a RST ends it. The application behind the port
 * never hears of it.
 */
#include "core/engine_internal.h"

static void tell(struct engine *e, enum backend_event event,
		 const struct backend *b, enum check_result why)
{
	if (e->on_backend)
		e->on_backend(e->on_arg, event, b, why);
}

/* --------------------------------------------------------- real traffic */

static bool another_takes_flows(const struct service *s,
				const struct backend *b, uint64_t now_ns)
{
	for (unsigned i = 0; i < s->n_backends; i++)
		if (&s->backends[i] != b &&
		    backend_takes_flows(&s->backends[i]) &&
		    breaker_allows(&s->backends[i].breaker, now_ns))
			return true;
	return false;
}

bool engine_excuses(struct engine *e, struct backend *b, uint64_t sent_ns,
		    uint64_t now_ns)
{
	if (!hearing_excuses(&e->hearing, sent_ns, &b->excused_ns, now_ns))
		return false;
	e->counters.unheard++;
	return true;
}

void engine_backend_answered(struct engine *e, struct backend *b,
			     uint16_t ticket, uint64_t now_ns)
{
	b->excused_ns = 0;
	if (breaker_success(&b->breaker, ticket, now_ns) == BREAKER_RECOVERED)
		tell(e, BACKEND_RECOVERED, b, CHECK_OK);
}

void engine_suspect(struct engine *e, struct backend *b, uint64_t now_ns)
{
	if (!e->services[b->service].checked)
		return;
	health_suspect(&b->health, now_ns);
	e->checks_due_ns = 0;
}

void engine_backend_failed(struct engine *e, struct backend *b, uint16_t ticket,
			   enum check_result why, uint64_t now_ns)
{
	bool may_open =
		another_takes_flows(&e->services[b->service], b, now_ns);

	engine_suspect(e, b, now_ns);
	if (breaker_failure(&b->breaker, ticket, may_open, now_ns) ==
	    BREAKER_OPENED)
		tell(e, BACKEND_EJECTED, b, why);
}

/* -------------------------------------------------------- active checks */

/*
 * True if a check without an answer says nothing of the backend, as this host's
 * own link or route is gone: reset for that, its connections would not outlive
 * a cable that is pulled out for three seconds, and the resets could not leave.
 */
static bool cut_off(struct engine *e, const struct backend *b)
{
	if (!e->can_reach ||
	    e->can_reach(e->on_arg, &e->pools[b->pools[0]].source,
			 &b->addr.addr))
		return false;
	e->counters.unreached++;
	return true;
}

static void changed(struct engine *e, struct backend *b,
		    enum health_change change, uint64_t now_ns)
{
	const struct service *s = &e->services[b->service];

	switch (change) {
	case HEALTH_SAME: break;
	case HEALTH_WENT_DOWN:
		b->up = false;
		/* A kernel that refuses speaks for its connections itself: it
		 * has ended those of a process that died, and others, of one
		 * that only stopped to listen, may go on.
		 */
		if (!s->keep_on_down && !b->health.refusing)
			engine_start_sweep(e, b);
		tell(e, BACKEND_DOWN, b, b->health.last);
		break;
	case HEALTH_FELL_SILENT:
		if (!s->keep_on_down)
			engine_start_sweep(e, b);
		tell(e, BACKEND_DOWN, b, b->health.last);
		break;
	case HEALTH_WENT_UP:
		b->up = true;
		b->sweep &= b->drained; /* what is left of it may go on */
		breaker_reset(&b->breaker, now_ns);
		tell(e, BACKEND_UP, b, CHECK_OK);
		break;
	}
}

static bool send_probe(struct engine *e, const struct backend *b)
{
	const struct segment syn = {
		.src = {.addr = e->pools[b->pools[0]].source,
			.port = htons(b->probe_port)},
		.dst = b->addr,
		.seq = b->probe_isn,
		.flags = TCP_SYN,
		.window = 1024,
	};

	return engine_originate(e, &syn);
}

static bool probe_half_open(struct engine *e, struct backend *b)
{
	b->probe_port = (uint16_t)(e->probe_lo + e->probe_next++ % PROBE_PORTS);
	b->probe_isn = (uint32_t)random_next(&e->random);
	b->probe_repeated = false;
	return send_probe(e, b);
}

static bool queue_probe(struct engine *e, const struct backend *b)
{
	const struct service *s = &e->services[b->service];

	if (e->probes_used == ENGINE_PROBES_MAX)
		return false;
	e->probes[(e->probes_head + e->probes_used++) % ENGINE_PROBES_MAX] =
		(struct probe_request){
			.service = b->service,
			.backend = b->index,
			.number = b->health.number,
			.timeout_ms = b->health.params.timeout_ms,
			.check = &s->check,
			.to = b->addr,
			.source = e->pools[b->pools[0]].source,
		};
	return true;
}

bool engine_next_probe(struct engine *e, struct probe_request *out)
{
	if (e->probes_used == 0)
		return false;
	*out = e->probes[e->probes_head];
	e->probes_head = (e->probes_head + 1) % ENGINE_PROBES_MAX;
	e->probes_used--;
	return true;
}

void engine_probe_result(struct engine *e, unsigned service, unsigned backend,
			 uint32_t number, enum check_result result,
			 uint64_t now_ns)
{
	struct backend *b = &e->services[service].backends[backend];
	bool counts = b->health.probing && number == b->health.number;

	if (result == CHECK_OK || result == CHECK_REFUSED)
		b->excused_ns = 0;
	else if (counts && result != CHECK_LOCAL && cut_off(e, b))
		result = CHECK_LOCAL;
	changed(e, b, health_result(&b->health, number, result, now_ns),
		now_ns);
	e->checks_due_ns = 0;
}

/* A backend on whose behalf ports of the probe range may be spoken to. */
static struct backend *probed(const struct engine *e, const struct packet *p)
{
	uint16_t port = ntohs(p->key.pair.dst.port);
	struct backend *found = NULL;

	if (!e->probe_lo || port < e->probe_lo ||
	    port >= e->probe_lo + PROBE_PORTS ||
	    !engine_has_pool(e, &p->key.pair.dst.addr, &p->key.pair.src))
		return NULL;
	for (unsigned i = 0; i < e->n_services; i++) {
		const struct service *s = &e->services[i];

		for (unsigned k = 0; s->checked && k < s->n_backends; k++) {
			struct backend *b = &s->backends[k];

			if (!endpoint_equal(&b->addr, &p->key.pair.src))
				continue;
			if (b->probe_port == port)
				return b;
			found = b; /* another service's, or an earlier one */
		}
	}
	return found;
}

/*
 * It remembers an earlier probe, whose RST was lost: cleared as for flows
 * (design rule 8), and asked once more.
 */
static void repair_probe(struct engine *e, struct backend *b,
			 const struct packet *p, uint64_t now_ns)
{
	bool running = b->probe_port == ntohs(p->key.pair.dst.port) &&
		       b->health.probing;

	engine_answer_reset(e, p, &e->limit_reply, now_ns);
	if (!running || b->probe_repeated || (p->tcp.flags & TCP_RST))
		return;
	b->probe_repeated = true;
	send_probe(e, b);
}

bool engine_probe_answer(struct engine *e, const struct packet *p,
			 uint64_t now_ns)
{
	struct backend *b = probed(e, p);
	bool refused = p->tcp.flags & TCP_RST;

	if (!b)
		return false;
	if (b->probe_port != ntohs(p->key.pair.dst.port) ||
	    !(p->tcp.flags & TCP_ACK) || p->tcp.ack != b->probe_isn + 1) {
		repair_probe(e, b, p, now_ns);
		return true;
	}
	if (!refused && !(p->tcp.flags & TCP_SYN))
		return true;
	if (!refused)
		engine_answer_reset(e, p, &e->limit_reply, now_ns);
	engine_probe_result(e, b->service, b->index, b->health.number,
			    refused ? CHECK_REFUSED : CHECK_OK, now_ns);
	return true;
}

static void run_check(struct engine *e, struct backend *b, uint64_t heard_ns,
		      uint64_t now_ns)
{
	const bool half_open = e->services[b->service].check.kind == CHECK_SYN;
	struct health *h = &b->health;
	bool start = false, asked;

	if (health_next_ns(h) > (h->probing ? heard_ns : now_ns))
		return;
	/* Late, but perhaps not by the backend's fault: asked again soon. */
	if (h->probing &&
	    ((half_open && engine_excuses(e, b, h->started_ns, now_ns)) ||
	     cut_off(e, b))) {
		health_result(h, h->number, CHECK_LOCAL, now_ns);
		health_suspect(h, now_ns);
	}
	changed(e, b, health_tick(h, now_ns, &e->random, &start), now_ns);
	if (!start)
		return;
	asked = half_open ? probe_half_open(e, b) : queue_probe(e, b);
	if (!asked) /* too much is waiting: it is asked again */
		health_result(h, h->number, CHECK_LOCAL, now_ns);
}

static void run_drain(struct engine *e, struct backend *b, uint64_t now_ns)
{
	if (!b->drain_until_ns || b->drain_until_ns > now_ns)
		return;
	b->drain_until_ns = 0;
	b->drained = true;
	engine_start_sweep(e, b);
	tell(e, BACKEND_DRAINED, b, CHECK_OK);
}

uint64_t engine_run_checks(struct engine *e, uint64_t heard_ns, uint64_t now_ns)
{
	uint64_t next_ns = WHEEL_IDLE;

	if (now_ns < e->checks_due_ns)
		return e->checks_due_ns;
	for (unsigned i = 0; i < e->n_services; i++) {
		struct service *s = &e->services[i];

		for (unsigned k = 0; k < s->n_backends; k++) {
			struct backend *b = &s->backends[k];

			run_drain(e, b, now_ns);
			if (b->drain_until_ns && b->drain_until_ns < next_ns)
				next_ns = b->drain_until_ns;
			if (!s->checked || b->gone)
				continue;
			run_check(e, b, heard_ns, now_ns);
			if (health_next_ns(&b->health) < next_ns)
				next_ns = health_next_ns(&b->health);
		}
	}
	e->checks_due_ns = next_ns;
	return next_ns;
}
