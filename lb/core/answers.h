/* SPDX-License-Identifier: MIT */
/*
 * answers.h - rate limits for answers to packets with a forged source
 *
 * A limit shared by all senders leaks: an attacker sends packets with the
 * addresses of another connection, counts the answers to his own packets, and
 * learns how many of the forged ones were answered (CVE-2016-5696). So there
 * are two limits, as in Linux since 4.7. Each pair of ends gets a few answers
 * in half a second, however many packets carry its addresses. The shared limit
 * is drawn at random each second, and its noise hides those few.
 *
 * Pairs are counted by their hash with a salt that changes every half second,
 * so that nobody learns which pairs share a counter.
 */
#ifndef L4LB_ANSWERS_H
#define L4LB_ANSWERS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "core/random.h"
#include "core/time.h"

#define ANSWERS_PAIR_NS (NS_PER_S / 2)
#define ANSWERS_ALL_NS	NS_PER_S
#define ANSWERS_PLACES	65536

/* Limits for one pair of ends in ANSWERS_PAIR_NS. */
#define ANSWERS_ACKS   1 /* challenge ACKs; the limit of Linux */
#define ANSWERS_RESETS 3 /* one may be lost, and one not accepted */

/* Answers given to each pair of ends; begins zeroed. */
struct answers {
	uint64_t until_ns;
	uint64_t salt;
	uint8_t given[ANSWERS_PLACES];
};

/* The shared limit of one kind of answer; begins zeroed but for @per_s. */
struct answer_limit {
	uint32_t per_s;	   /* average; drawn from half to one and a half */
	uint32_t left;	   /* in this second */
	uint64_t until_ns; /* end of this second */
};

static inline bool answers_pair(struct answers *a, struct random *r,
				uint32_t hash, unsigned most, uint64_t now_ns)
{
	struct random place;
	uint8_t *given;

	if (now_ns >= a->until_ns) {
		a->until_ns = now_ns + ANSWERS_PAIR_NS;
		a->salt = random_next(r);
		memset(a->given, 0, sizeof(a->given));
	}
	place.state = a->salt ^ hash;
	given = &a->given[random_next(&place) % ANSWERS_PLACES];
	if (*given >= most)
		return false;
	++*given;
	return true;
}

static inline bool answers_all(struct answer_limit *l, struct random *r,
			       uint64_t now_ns)
{
	if (now_ns >= l->until_ns) {
		l->until_ns = now_ns + ANSWERS_ALL_NS;
		l->left = l->per_s / 2 + random_below(r, l->per_s + 1);
	}
	if (l->left == 0)
		return false;
	l->left--;
	return true;
}

/*
 * True if the pair of ends with @hash may get one more answer, at most @most in
 * ANSWERS_PAIR_NS. Counts it.
 */
static inline bool answers_allow(struct answers *a, struct answer_limit *l,
				 struct random *r, uint32_t hash, unsigned most,
				 uint64_t now_ns)
{
	return answers_pair(a, r, hash, most, now_ns) &&
	       answers_all(l, r, now_ns);
}

#endif
