/* SPDX-License-Identifier: MIT */
/*
 * when.h - the active check of one backend: when to probe, when it is down
 *
 * Other code sends the probes. This file decides when the next one is due,
 * numbers it, counts results, and decides when the backend is down and when up
 * again. A backend begins as up: a balancer that has just started does not
 * refuse all clients until the first answers arrive.
 *
 * Pace: one probe per interval while results agree with the state; one per fast
 * interval while they contradict it (up, but the last probe failed; down, but
 * it succeeded); never before the running probe is decided. So with the
 * defaults a refusing backend is down 0.4 s after the first refusal, and a
 * silent one 1.5 s after the first unanswered probe, plus at most 1.1 s until
 * that probe was sent. Each interval varies at random by up to a tenth, so that
 * checks of many backends, or of many balancers, do not fall into step.
 */
#ifndef L4LB_WHEN_H
#define L4LB_WHEN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/health/ask.h"
#include "core/random.h"

struct health_params {
	uint32_t interval_ms;
	uint32_t fast_ms;
	uint32_t timeout_ms;	/* per probe */
	uint32_t slow_start_ms; /* 0: full weight at once */
	uint32_t fall;		/* failures in a row until down, at least 1 */
	uint32_t rise;		/* successes in a row until up, at least 1 */
};
#define HEALTH_PARAMS_DEFAULT                                           \
	{                                                               \
		.interval_ms = 1000, .fast_ms = 200, .timeout_ms = 500, \
		.slow_start_ms = 0, .fall = 3, .rise = 2                \
	}

enum health_change {
	HEALTH_SAME,
	HEALTH_WENT_DOWN,
	HEALTH_WENT_UP,
	/* The backend was down by refusals, so its kernel was alive. Now it has
	 * failed in other ways, @fall times in a row.
	 */
	HEALTH_FELL_SILENT,
};

struct health {
	struct health_params params;
	bool up;
	bool probing;	     /* a probe is under way */
	bool recovered;	     /* slow start applies, from .since_ns on */
	bool refusing;	     /* all failures since the last OK are refusals */
	uint32_t number;     /* number of the last probe started */
	uint32_t streak;     /* results in a row that contradict .up */
	uint32_t silent;     /* failures in a row that are no refusals */
	bool suspected;	     /* real traffic caused this or the next probe */
	uint32_t wary_ms;    /* minimum wait until traffic causes another */
	uint32_t stretch;    /* length of the next interval, per mille */
	uint64_t started_ns; /* start of the last probe */
	uint64_t due_ns;     /* probing: its timeout; else: the next start */
	uint64_t since_ns;   /* last change of .up, or health_ramp() */
	enum check_result last; /* never CHECK_LOCAL */
	uint64_t failed;	/* probes in all */
};

/* The first probe is due within one fast interval, at random. */
void health_init(struct health *h, const struct health_params *params,
		 uint64_t now_ns, struct random *random);

/*
 * Checks begin anew, as those of another kind or by other parameters: the
 * running one is void. Whether the backend is up stays as it is.
 */
void health_renew(struct health *h, const struct health_params *params,
		  uint64_t now_ns, struct random *random);

/* The backend takes flows again, or its first: slow start begins now. */
void health_ramp(struct health *h, uint64_t now_ns);

/*
 * Call at health_next_ns() or later, after health_result() got all answers that
 * have arrived. A running probe past its timeout has failed; a later answer to
 * it no longer counts. @start becomes true if a probe with number h->number is
 * to be sent now.
 */
enum health_change health_tick(struct health *h, uint64_t now_ns,
			       struct random *random, bool *start);

/*
 * The result of probe @number. A probe that has timed out or was answered
 * before changes nothing, nor does CHECK_LOCAL.
 */
enum health_change health_result(struct health *h, uint32_t number,
				 enum check_result result, uint64_t now_ns);

/*
 * The probe just started could not be sent, because too many are under way. The
 * next one starts after HEALTH_UNASKED_MS, not after a whole interval.
 */
#define HEALTH_UNASKED_MS 10
void health_unasked(struct health *h, uint64_t now_ns);

/*
 * Extends the running probe by a fast interval and HEALTH_UNSURE_MS, so that
 * others can be asked first. An answer still counts.
 */
#define HEALTH_UNSURE_MS 50
void health_unsure(struct health *h, uint64_t now_ns);

/* Voids the failures since the last success. */
void health_forget(struct health *h);

/*
 * Brings the next probe forward, if an answer may have been lost here or is
 * needed soon; still at most one probe per fast interval. health_next_ns() may
 * change.
 */
void health_hurry(struct health *h, uint64_t now_ns);

/*
 * The same after real traffic failed. Anybody can make traffic fail: so each
 * probe for that reason that succeeds doubles the wait until the next such
 * probe, up to the interval or HEALTH_WARY_MAX_MS. A probe that fails, or has
 * another reason, resets the wait.
 */
#define HEALTH_WARY_MAX_MS 5000
void health_suspect(struct health *h, uint64_t now_ns);

static inline uint64_t health_next_ns(const struct health *h)
{
	return h->due_ns;
}

/*
 * Slow start: the share of its weight that a backend gets now, in 256ths. After
 * a recovery it rises linearly from 1 to HEALTH_SHARE_FULL over slow_start;
 * otherwise it is full.
 */
#define HEALTH_SHARE_FULL 256u
unsigned health_share(const struct health *h, uint64_t now_ns);

#endif
