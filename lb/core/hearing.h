/* SPDX-License-Identifier: MIT */
/*
 * hearing.h - whether silence means anything
 *
 * That nobody answered in time is evidence only if we would have heard it. We
 * may not have, in two ways: what came is still in a capture's ring, since
 * this process was suspended, or busy; or the ring was full and it was lost.
 * In the first case we look again when we have read what waits. In the second
 * silence says nothing: of three checks in a row each may have been lost, and
 * under a flood of packets healthy backends would go down one by one.
 */
#ifndef L4LB_HEARING_H
#define L4LB_HEARING_H

#include <stdbool.h>
#include <stdint.h>

/* For so long at the most nobody is judged because frames wait. */
#define HEARING_LATE_MAX_NS 2000000000ull

/*
 * A loss of so much is no excuse: three checks in a row are lost once in a
 * million then.
 */
#define HEARING_LOSS_PERCENT 1
#define HEARING_WINDOW_NS    100000000ull /* in which losses are counted */

/* Nor is any loss for who was excused for so long and not heard of. */
#define HEARING_PATIENCE_NS 10000000000ull

struct hearing {
	uint64_t heard_ns;   /* all that had come by then was dealt with */
	uint64_t lossy_ns;   /* last time that much was lost; 0: never */
	uint64_t window_ns;  /* since then are counted: */
	uint64_t seen, lost; /* frames */
};

/* Who never reports is taken to hear everything at once. */
void hearing_init(struct hearing *h);

/* All that had come by @until_ns was dealt with. */
void hearing_note_all_until(struct hearing *h, uint64_t until_ns);

/* @lost more frames were, besides @seen more that were not. */
void hearing_note_lost(struct hearing *h, uint64_t seen, uint64_t lost,
		       uint64_t now_ns);

/* The time that it is for whoever waits for an answer: never beyond @now_ns. */
uint64_t hearing_now_ns(const struct hearing *h, uint64_t now_ns);

/*
 * Whether an answer to what was sent at @sent_ns may have been lost here.
 * @since_ns: of the same peer; since when it is excused, 0: not. Set here, and
 * back to 0 by the caller when anything is heard of that peer.
 */
bool hearing_excuses(const struct hearing *h, uint64_t sent_ns,
		     uint64_t *since_ns, uint64_t now_ns);

#endif
