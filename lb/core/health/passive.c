/* SPDX-License-Identifier: MIT */
/* See passive.h. Only set_state() changes the state. */
#include <assert.h>

#include "core/health/passive.h"
#include "core/time.h"

void breaker_init(struct breaker *b, const struct breaker_params *params,
		  uint64_t now_ns)
{
	assert(params->trials >= 1);
	*b = (struct breaker){
		.params = *params,
		.state = BREAKER_CLOSED,
		.due_ns = BREAKER_IDLE,
		.closed_ns = now_ns,
	};
}

static void set_state(struct breaker *b, enum breaker_state state,
		      uint64_t due_ns)
{
	b->state = state;
	b->due_ns = due_ns;
	b->failed = 0;
	b->several = false;
	b->trials = 0;
	b->ticket = (b->ticket + 1) % BREAKER_TICKETS;
}

static void set_closed(struct breaker *b, uint64_t now_ns)
{
	set_state(b, BREAKER_CLOSED, BREAKER_IDLE);
	b->closed_ns = now_ns;
}

static uint32_t next_backoff_ms(const struct breaker *b, uint64_t now_ns)
{
	bool quiet = b->state == BREAKER_CLOSED &&
		     now_ns - b->closed_ns >= b->params.quiet_ms * NS_PER_MS;
	uint64_t ms = b->params.open_ms;

	if (b->backoff_ms && !quiet)
		ms = 2ull * b->backoff_ms;
	return ms < b->params.open_max_ms ? (uint32_t)ms
					  : b->params.open_max_ms;
}

static enum breaker_change open_it(struct breaker *b, uint64_t now_ns)
{
	b->backoff_ms = next_backoff_ms(b, now_ns);
	if (b->state == BREAKER_CLOSED)
		b->opened_ns = now_ns;
	set_state(b, BREAKER_OPEN, now_ns + b->backoff_ms * NS_PER_MS);
	return BREAKER_OPENED;
}

void breaker_adjust(struct breaker *b, const struct breaker_params *params,
		    uint64_t now_ns)
{
	assert(params->trials >= 1);
	b->params = *params;
	if (params->failures == 0 && b->state != BREAKER_CLOSED)
		set_closed(b, now_ns);
	/* As count(): it waits at the limit for a failure that may open it. */
	if (b->failed > params->failures)
		b->failed = params->failures;
}

bool breaker_allows(const struct breaker *b, uint64_t now_ns)
{
	if (b->state == BREAKER_CLOSED || now_ns >= b->due_ns)
		return true;
	return b->state == BREAKER_HALF_OPEN && b->trials < b->params.trials;
}

/* The changes that time makes. */
static void pass_time(struct breaker *b, uint64_t now_ns)
{
	/* Trials without a result count neither way; their tickets are void. */
	if (b->state != BREAKER_CLOSED && now_ns >= b->due_ns)
		set_state(b, BREAKER_HALF_OPEN, BREAKER_IDLE);
}

uint32_t breaker_begin(struct breaker *b, uint64_t now_ns)
{
	pass_time(b, now_ns);
	if (b->state == BREAKER_HALF_OPEN) {
		b->trials++;
		b->due_ns = now_ns + b->params.trial_ms * NS_PER_MS;
	}
	return b->ticket;
}

enum breaker_change breaker_success(struct breaker *b, uint32_t ticket,
				    uint64_t now_ns)
{
	if (ticket != b->ticket)
		return BREAKER_SAME;
	b->failed = 0;
	if (b->state == BREAKER_CLOSED)
		return BREAKER_SAME;
	set_closed(b, now_ns);
	return BREAKER_RECOVERED;
}

/* Counts one more failure in a row. */
static void count(struct breaker *b, const struct ip_addr *client, bool checked)
{
	if (b->failed == 0) {
		b->client = *client;
		b->several = false;
	}
	b->several |= checked || !addr_equal(&b->client, client);
	/* The count stays at the limit while the breaker may not open. */
	if (b->failed < b->params.failures)
		b->failed++;
}

void breaker_check_failed(struct breaker *b)
{
	b->several |= b->failed > 0;
}

enum breaker_change breaker_failure(struct breaker *b, uint32_t ticket,
				    const struct ip_addr *client, bool checked,
				    bool may_open, uint64_t now_ns)
{
	if (ticket != b->ticket || b->params.failures == 0)
		return BREAKER_SAME;
	switch (b->state) {
	case BREAKER_CLOSED:
		count(b, client, checked);
		if (b->failed < b->params.failures || !b->several || !may_open)
			return BREAKER_SAME;
		return open_it(b, now_ns);
	case BREAKER_HALF_OPEN:
		if (!checked && addr_equal(&b->client, client)) {
			breaker_abandon(b, ticket);
			return BREAKER_SAME;
		}
		if (may_open)
			return open_it(b, now_ns);
		set_closed(b, now_ns);
		b->failed = b->params.failures;
		b->several = true;
		return BREAKER_SAME;
	case BREAKER_OPEN: /* no other backend was left: no new evidence */
	case BREAKER_STATES: break;
	}
	return BREAKER_SAME;
}

void breaker_forget(struct breaker *b)
{
	set_state(b, b->state, b->due_ns);
}

void breaker_abandon(struct breaker *b, uint32_t ticket)
{
	if (ticket != b->ticket || b->trials == 0)
		return;
	if (--b->trials == 0)
		b->due_ns = BREAKER_IDLE;
}

void breaker_reset(struct breaker *b, uint64_t now_ns)
{
	if (b->state != BREAKER_CLOSED)
		set_closed(b, now_ns);
	b->failed = 0;
}
