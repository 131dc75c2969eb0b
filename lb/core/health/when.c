/* SPDX-License-Identifier: MIT */
/* See when.h. count() counts every result; wait_for_next() sets the timer. */
#include <assert.h>

#include "core/health/when.h"
#include "core/time.h"

/* A tenth either way, in per mille. */
#define STRETCH_LO    900
#define STRETCH_SPAN  201
#define STRETCH_PARTS 1000

void health_init(struct health *h, const struct health_params *params,
		 uint64_t now_ns, struct random *random)
{
	assert(params->fall >= 1);
	assert(params->rise >= 1);
	*h = (struct health){
		.params = *params,
		.up = true,
		.refusing = true, /* no failure so far */
		.stretch = STRETCH_PARTS,
		.started_ns = now_ns,
		.since_ns = now_ns,
		.last = CHECK_OK,
	};
	h->due_ns = now_ns + random_below(random, params->fast_ms) * NS_PER_MS;
}

void health_renew(struct health *h, const struct health_params *params,
		  uint64_t now_ns, struct random *random)
{
	assert(params->fall >= 1);
	assert(params->rise >= 1);
	h->params = *params;
	h->probing = false;
	h->streak = 0;
	h->silent = 0;
	h->suspected = false;
	h->wary_ms = 0;
	h->started_ns = now_ns;
	h->due_ns = now_ns + random_below(random, params->fast_ms) * NS_PER_MS;
}

void health_ramp(struct health *h, uint64_t now_ns)
{
	h->recovered = true;
	h->since_ns = now_ns;
}

/* When the next probe is due, by the results so far. */
static uint64_t next_start_ns(const struct health *h)
{
	uint32_t ms = h->streak ? h->params.fast_ms : h->params.interval_ms;

	/* Counted from the last start, lest slow answers slow the checks. */
	return h->started_ns + ms * NS_PER_MS / STRETCH_PARTS * h->stretch;
}

static void wait_for_next(struct health *h, uint64_t now_ns)
{
	uint64_t next_ns = next_start_ns(h);

	h->probing = false;
	h->due_ns = next_ns > now_ns ? next_ns : now_ns;
}

/*
 * True if a backend that was down by refusals now fails in other ways: a
 * refusal proves that its kernel is alive. Independent of .up.
 */
static bool fell_silent(struct health *h, enum check_result result)
{
	if (result == CHECK_OK || result == CHECK_REFUSED) {
		h->silent = 0;
		return false;
	}
	h->silent++;
	if (h->up) {
		h->refusing = false;
		return false;
	}
	if (!h->refusing || h->silent < h->params.fall)
		return false;
	h->refusing = false;
	return true;
}

/* Sets the wait before the next suspicion: was this one right? */
static void note_suspicion(struct health *h, bool ok)
{
	uint32_t most_ms = h->params.interval_ms;

	if (most_ms > HEALTH_WARY_MAX_MS)
		most_ms = HEALTH_WARY_MAX_MS;
	if (!h->suspected || !ok)
		h->wary_ms = 0;
	else
		h->wary_ms = 2 * (h->wary_ms ? h->wary_ms : h->params.fast_ms);
	if (h->wary_ms > most_ms)
		h->wary_ms = most_ms;
	h->suspected = false;
}

static enum health_change count(struct health *h, enum check_result result,
				uint64_t now_ns)
{
	bool ok = result == CHECK_OK, silent;

	h->last = result;
	h->failed += !ok;
	note_suspicion(h, ok);
	silent = fell_silent(h, result);
	if (ok == h->up) {
		h->streak = 0;
		h->refusing |= ok;
		return silent ? HEALTH_FELL_SILENT : HEALTH_SAME;
	}
	if (++h->streak < (h->up ? h->params.fall : h->params.rise))
		return HEALTH_SAME;
	h->streak = 0;
	h->up = ok;
	h->refusing |= ok;
	h->recovered = ok;
	h->since_ns = now_ns;
	return ok ? HEALTH_WENT_UP : HEALTH_WENT_DOWN;
}

enum health_change health_result(struct health *h, uint32_t number,
				 enum check_result result, uint64_t now_ns)
{
	enum health_change change = HEALTH_SAME;

	if (!h->probing || number != h->number)
		return HEALTH_SAME;
	if (result != CHECK_LOCAL)
		change = count(h, result, now_ns);
	wait_for_next(h, now_ns);
	return change;
}

enum health_change health_tick(struct health *h, uint64_t now_ns,
			       struct random *random, bool *start)
{
	enum health_change change = HEALTH_SAME;

	*start = false;
	if (h->probing && now_ns >= h->due_ns)
		change = health_result(h, h->number, CHECK_TIMEOUT, now_ns);
	if (h->probing || now_ns < h->due_ns)
		return change;
	*start = true;
	h->probing = true;
	h->number++;
	h->stretch = STRETCH_LO + random_below(random, STRETCH_SPAN);
	h->started_ns = now_ns;
	h->due_ns = now_ns + h->params.timeout_ms * NS_PER_MS;
	return change;
}

void health_unasked(struct health *h, uint64_t now_ns)
{
	h->probing = false;
	h->due_ns = now_ns + HEALTH_UNASKED_MS * NS_PER_MS;
}

void health_unsure(struct health *h, uint64_t now_ns)
{
	if (h->probing)
		h->due_ns = now_ns +
			    (h->params.fast_ms + HEALTH_UNSURE_MS) * NS_PER_MS;
}

void health_forget(struct health *h)
{
	h->silent = 0;
	if (h->up)
		h->streak = 0;
}

static bool advance(struct health *h, uint32_t pace_ms, uint64_t now_ns)
{
	uint64_t soon_ns = h->started_ns + pace_ms * NS_PER_MS;

	if (soon_ns < now_ns)
		soon_ns = now_ns;
	if (h->probing || soon_ns >= h->due_ns)
		return false;
	h->due_ns = soon_ns;
	return true;
}

void health_hurry(struct health *h, uint64_t now_ns)
{
	advance(h, h->params.fast_ms, now_ns);
}

void health_suspect(struct health *h, uint64_t now_ns)
{
	uint32_t pace_ms = h->params.fast_ms;

	if (pace_ms < h->wary_ms)
		pace_ms = h->wary_ms;
	if (advance(h, pace_ms, now_ns))
		h->suspected = true;
}

unsigned health_share(const struct health *h, uint64_t now_ns)
{
	uint64_t ramp_ns = h->params.slow_start_ms * NS_PER_MS;
	uint64_t age_ns = now_ns - h->since_ns;
	unsigned share;

	/* ramp_ns * 256 fits: 2^32 ms are less than 2^52 ns */
	if (!h->recovered || age_ns >= ramp_ns)
		return HEALTH_SHARE_FULL;
	share = (unsigned)(age_ns * HEALTH_SHARE_FULL / ramp_ns);
	return share ? share : 1;
}
