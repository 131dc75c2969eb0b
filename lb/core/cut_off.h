/* SPDX-License-Identifier: MIT */
/* cut_off.h - whether a backend's silence is its own */
#ifndef L4LB_CUT_OFF_H
#define L4LB_CUT_OFF_H

#include "core/state.h"

#define SILENCES_TOLD 3 /* of an unchecked backend: then it is told */

enum silence {
	SILENCE_OWN,	/* the backend's: it counts */
	SILENCE_OURS,	/* it says nothing, and what it was asked is over */
	SILENCE_UNSURE, /* others have just been asked: look again soon */
};

/* @b has not answered what it was asked at @asked_ns. */
enum silence engine_silence(struct engine *e, struct backend *b,
			    uint64_t asked_ns, uint64_t now_ns);

/* @b is being asked; it answered, whatever. */
void engine_asks(struct engine *e, struct backend *b, uint64_t now_ns);
void engine_heard_from(struct engine *e, struct backend *b, uint64_t now_ns);
/* The same of a check. */
void engine_probed(struct engine *e, struct backend *b, uint64_t now_ns);

#endif
