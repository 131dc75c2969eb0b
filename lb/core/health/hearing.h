/* SPDX-License-Identifier: MIT */
/*
 * hearing.h - whether silence means anything
 *
 * A missing answer is evidence only if we would have captured it. It may be
 * missing for two other reasons. It may still be in a capture's ring, because
 * this process was suspended or busy: then we judge again after reading the
 * ring. Or the ring was full and the answer was lost: then silence says
 * nothing. Otherwise, under a flood of packets, three checks in a row may each
 * be lost, and healthy backends would go down one by one.
 */
#ifndef L4LB_HEARING_H
#define L4LB_HEARING_H

#include <stdbool.h>
#include <stdint.h>

#include "core/time.h"

/* Unread frames delay a judgement by at most this. */
#define HEARING_LATE_MAX_NS (2 * NS_PER_S)

/*
 * A loss of up to this much is no excuse: at this rate three checks in a row
 * are lost once in a million times.
 */
#define HEARING_LOSS_PERCENT 1
#define HEARING_WINDOW_NS    (NS_PER_S / 10) /* losses are counted per window */

/* A backend excused for this long without any answer has no excuse any more. */
#define HEARING_PATIENCE_NS (10 * NS_PER_S)

struct hearing {
	uint64_t heard_ns;   /* all frames that arrived by then were handled */
	uint64_t lossy_ns;   /* last time with too much loss; 0: never */
	uint64_t window_ns;  /* start of the window */
	uint64_t seen, lost; /* frames in this window */
};

/* If no capture ever reports, everything is taken as heard at once. */
void hearing_init(struct hearing *h);

/* All frames that arrived by @until_ns were handled. */
void hearing_note_all_until(struct hearing *h, uint64_t until_ns);

/* Since the last call @seen frames were captured and @lost were lost. */
void hearing_note_lost(struct hearing *h, uint64_t seen, uint64_t lost,
		       uint64_t now_ns);

/* The time for judging missing answers; never later than @now_ns. */
uint64_t hearing_now_ns(const struct hearing *h, uint64_t now_ns);

/*
 * True if an answer to what was sent at @sent_ns may have been lost here.
 * @since_ns: since when that peer is excused; 0: it is not. Set here; the
 * caller clears it when the peer is heard.
 */
bool hearing_excuses(const struct hearing *h, uint64_t sent_ns,
		     uint64_t *since_ns, uint64_t now_ns);

#endif
