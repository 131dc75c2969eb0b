/* SPDX-License-Identifier: MIT */
/*
 * pending.c - keeps the SYN of a flow without an answer, to send it again: to
 * another backend, or from another port
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/health/cut_off.h"
#include "core/pending.h"
#include "core/state.h"

enum { OPT_END = 0, OPT_NOP = 1, OPT_FAST_OPEN = 34, OPT_EXPERIMENT = 254 };

int pending_grow(struct pending_table *t, uint32_t size)
{
	struct pending_syn *syns;
	uint32_t *free_;

	if (size <= t->size)
		return 0;
	syns = realloc(t->syns, size * sizeof(*syns));
	if (!syns)
		return -ENOMEM;
	t->syns = syns;
	free_ = realloc(t->free, size * sizeof(*free_));
	if (!free_)
		return -ENOMEM;
	t->free = free_;
	/* Those taken first are on top. */
	memmove(free_ + (size - t->size), free_, t->n_free * sizeof(*free_));
	for (uint32_t i = 0; i < size - t->size; i++)
		free_[i] = size - 1 - i;
	t->n_free += size - t->size;
	t->size = size;
	return 0;
}

void pending_free(struct pending_table *t)
{
	free(t->syns);
	free(t->free);
	t->syns = NULL;
	t->free = NULL;
}

struct pending_syn *pending_of(const struct engine *e, const struct flow *flow)
{
	return flow->pending ? &e->pending.syns[flow->pending - 1] : NULL;
}

/*
 * A Fast Open cookie (RFC 7413) belongs to one backend, and data cannot be
 * taken back; without the option any backend gives the same answer. NOPs
 * overwrite the option, so no other byte moves.
 */
static void strip_fast_open(uint8_t *opt, unsigned len)
{
	unsigned i = 0;

	while (i < len && opt[i] != OPT_END) {
		unsigned size;

		if (opt[i] == OPT_NOP) {
			i++;
			continue;
		}
		if (i + 1 >= len || opt[i + 1] < 2 || i + opt[i + 1] > len)
			return;
		size = opt[i + 1];
		if (opt[i] == OPT_FAST_OPEN || opt[i] == OPT_EXPERIMENT)
			memset(opt + i, OPT_NOP, size);
		i += size;
	}
}

/* A handshake with the flow's backend begins. */
void pending_begin(struct engine *e, const struct flow *flow,
		   struct pending_syn *pend, uint64_t now_ns)
{
	struct backend *b = engine_backend(e, flow);

	engine_asks(e, b, now_ns);
	pend->ticket = breaker_begin(&b->breaker, now_ns);
	pend->has_ticket = true;
}

void pending_open(struct engine *e, struct flow *flow, const struct packet *syn,
		  uint64_t now_ns)
{
	struct pending_syn *pend;
	uint32_t at;

	if (flow->tcp.syn_len || e->pending.n_free == 0)
		return;
	at = e->pending.free[--e->pending.n_free];
	flow->pending = 1 + at;
	pend = &e->pending.syns[at];
	memset(pend, 0, sizeof(*pend));
	pend->sent_ns = now_ns;
	pend->isn = syn->tcp.seq;
	pend->window = syn->tcp.window;
	pend->flags = syn->tcp.flags & (TCP_SYN | TCP_ECE | TCP_CWR);
	pend->options_len = (uint8_t)(packet_tcp_len(syn) - TCP_HEADER_MIN);
	memcpy(pend->options, syn->hdr + IP_HEADER_LEN + TCP_HEADER_MIN,
	       pend->options_len);
	strip_fast_open(pend->options, pend->options_len);
	pending_begin(e, flow, pend, now_ns);
}

struct backend *pending_tried(const struct engine *e, const struct flow *flow,
			      const struct pending_syn *pend, unsigned i)
{
	return &e->services[flow->service].backends[pend->tried[i].backend];
}

void pending_over(struct engine *e, struct flow *flow)
{
	struct pending_syn *pend = pending_of(e, flow);

	if (!pend)
		return;
	if (pend->has_ticket)
		breaker_abandon(&engine_backend(e, flow)->breaker,
				pend->ticket);
	for (unsigned i = 0; i < pend->retries; i++) {
		struct backend *b = pending_tried(e, flow, pend, i);

		b->tried--;
		if (pend->tried[i].why != CHECK_OK)
			breaker_abandon(&b->breaker, pend->tried[i].ticket);
	}
	e->pending.free[e->pending.n_free++] = flow->pending - 1;
	flow->pending = 0;
}

/* When the client has waited long enough. */
uint64_t pending_end_ns(const struct engine *e, const struct flow *flow)
{
	return flow->opened_ns + e->timeouts.syn_sent * NS_PER_S;
}

uint64_t pending_deadline_ns(const struct engine *e, const struct flow *flow)
{
	const struct service *s = &e->services[flow->service];
	const struct pending_syn *pend = pending_of(e, flow);
	const uint64_t least_ns = s->params.syn_timeout_ms * NS_PER_MS;
	uint64_t wait_ns = 3 * engine_backend(e, flow)->handshake_ns;

	if (!pend || pend->exhausted || pend->retries >= s->params.retries)
		return pending_end_ns(e, flow);
	if (wait_ns < least_ns)
		wait_ns = least_ns;
	if (pend->sent_ns + wait_ns < pending_end_ns(e, flow))
		return pend->sent_ns + wait_ns;
	return pending_end_ns(e, flow);
}
