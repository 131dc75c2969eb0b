/* SPDX-License-Identifier: MIT */
/*
 * health.h - the active check of one backend: when to ask, what to believe
 *
 * Somebody else carries the probes. This says when the next one is due, gives
 * each a number, counts the results and decides when the backend is down and
 * when it is up again. It starts up: a balancer that has just started does not
 * refuse everybody until the first answers are in.
 *
 * Pace: one probe an interval while the answers agree with the state, up or
 * down; one a fast interval while they are in doubt (up, but the last one
 * failed; down, but the last one succeeded); never before the running one is
 * decided. So with the defaults a refusing backend is down 0.4 s after the
 * first refusal and a silent one 1.5 s after the first unanswered probe, plus
 * at most 1.1 s until that one was sent. Each interval is stretched or
 * shortened at random by up to a tenth, so that checks of many backends, or of
 * many balancers, do not fall into step.
 */
#ifndef L4LB_HEALTH_H
#define L4LB_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/check.h"
#include "core/random.h"

struct health_params {
	uint32_t interval_ms;
	uint32_t fast_ms;
	uint32_t timeout_ms;	/* of one probe */
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
	/* It was down because it refused, so its kernel was alive; now not even
	 * that is known: it fails in other ways, @fall times in a row.
	 */
	HEALTH_FELL_SILENT,
};

struct health {
	struct health_params params;
	bool up;
	bool probing;	  /* a probe is out */
	bool recovered;	  /* it has been down: slow start applies */
	bool refusing;	  /* every failure since it was OK is a refusal */
	uint32_t number;  /* of the last probe started */
	uint32_t streak;  /* results in a row that contradict .up */
	uint32_t silent;  /* failures in a row that are no refusals */
	bool suspected;	  /* the next one, or the one under way, is for that */
	uint32_t wary_ms; /* at least so long until one is again */
	uint32_t stretch; /* of the next interval, per mille */
	uint64_t started_ns; /* the last probe */
	uint64_t due_ns;     /* probing: it times out; else: the next starts */
	uint64_t since_ns;   /* .up has been as it is */
	enum check_result last;	 /* but never CHECK_LOCAL */
	uint64_t probes, failed; /* counted, for whoever asks */
};

/* The first probe is due within one fast interval, at random. */
void health_init(struct health *h, const struct health_params *params,
		 uint64_t now_ns, struct random *random);

/*
 * To be called at health_next_ns() or later, after the answers that have
 * arrived by then were given to health_result(). A running probe whose time is
 * up has failed: the change is returned, an answer to it no longer counts.
 * @start becomes true if a probe, with number h->number, is to be sent now.
 */
enum health_change health_tick(struct health *h, uint64_t now_ns,
			       struct random *random, bool *start);

/*
 * What came of probe @number. One that is not running any more (timed out) or
 * was answered already changes nothing, nor does CHECK_LOCAL.
 */
enum health_change health_result(struct health *h, uint32_t number,
				 enum check_result result, uint64_t now_ns);

/*
 * The probe just started could not be sent, as too many are under way: the
 * next one starts in a moment, not after a whole interval.
 */
#define HEALTH_UNASKED_MS 10
void health_unasked(struct health *h, uint64_t now_ns);

/*
 * Whether the running probe has failed is looked at again when others could be
 * asked, a fast interval from now and a moment: an answer still counts.
 */
#define HEALTH_UNSURE_MS 50
void health_unsure(struct health *h, uint64_t now_ns);

/* What speaks against it since its last success is void. */
void health_forget(struct health *h);

/*
 * An answer may have been lost here, or is wanted soon: ask now rather than at
 * the end of the interval, but still at most once a fast interval. Worth a new
 * look at health_next_ns().
 */
void health_hurry(struct health *h, uint64_t now_ns);

/*
 * The same as real traffic failed. Anybody can make traffic fail: each check
 * made for that which then succeeds doubles the time until the next one, up to
 * the interval or HEALTH_WARY_MAX_MS; one that fails, or is not made for that,
 * sets it back.
 */
#define HEALTH_WARY_MAX_MS 5000
void health_suspect(struct health *h, uint64_t now_ns);

static inline uint64_t health_next_ns(const struct health *h)
{
	return h->due_ns;
}

/*
 * Slow start: the part of its weight that a backend gets now, in 256ths. It
 * rises in a straight line from 1 to HEALTH_SHARE_FULL over slow_start after a
 * recovery, and is full in any other case.
 */
#define HEALTH_SHARE_FULL 256u
unsigned health_share(const struct health *h, uint64_t now_ns);

/*
 * The weight for a scheduler, in 256ths of the configured unit: 256 * @weight
 * at full share, so that weight 1 ramps as finely as any; 0 only for 0.
 */
static inline unsigned health_weight(const struct health *h, unsigned weight,
				     uint64_t now_ns)
{
	return weight * health_share(h, now_ns);
}

#endif
