/* SPDX-License-Identifier: MIT */
/*
 * answers.h - how often we answer what anybody can send in another one's name
 *
 * A limit that all share tells each of them what the others use of it: who
 * sends packets of a connection that he wants to know of, and then counts the
 * answers to as many of his own, learns whether the first were answered
 * (CVE-2016-5696). So there are two, as in Linux since 4.7. A pair of ends gets
 * a few answers in half a second, whatever is sent in its name. And what all
 * share is a number drawn anew each second, in whose noise those few are lost.
 *
 * Pairs are told apart by their hash and a salt that is drawn anew each time,
 * so that nobody learns who shares a place with whom.
 */
#ifndef L4LB_ANSWERS_H
#define L4LB_ANSWERS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "core/random.h"

#define ANSWERS_PAIR_NS 500000000ull
#define ANSWERS_ALL_NS	1000000000ull
#define ANSWERS_PLACES	65536

/* To one pair of ends, in ANSWERS_PAIR_NS. */
#define ANSWERS_ACKS   1 /* challenges, as Linux's own limit */
#define ANSWERS_RESETS 3 /* one may be lost, and one not believed */

/* To whom; begins as zeros. */
struct answers {
	uint64_t until_ns;
	uint64_t salt;
	uint8_t given[ANSWERS_PLACES];
};

/* What all share, of one kind of answer; begins with @per_s alone. */
struct answer_limit {
	uint32_t per_s;	   /* on average; half as many or as many again */
	uint32_t left;	   /* of this second */
	uint64_t until_ns; /* its end */
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
 * True if one more is allowed to the ends whose packet has @hash, of which
 * there are at most @most, and counts it.
 */
static inline bool answers_allow(struct answers *a, struct answer_limit *l,
				 struct random *r, uint32_t hash, unsigned most,
				 uint64_t now_ns)
{
	return answers_pair(a, r, hash, most, now_ns) &&
	       answers_all(l, r, now_ns);
}

#endif
