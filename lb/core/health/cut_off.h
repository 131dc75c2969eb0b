/* SPDX-License-Identifier: MIT */
/* cut_off.h - whether a backend is silent, or the link toward it */
#ifndef L4LB_CUT_OFF_H
#define L4LB_CUT_OFF_H

#include "core/state.h"

#define SILENCES_TOLD 3 /* of an unchecked backend, then it is logged */

enum silence {
	SILENCE_OWN,	/* the backend's fault: it counts */
	SILENCE_OURS,	/* not the backend's fault: the question is void */
	SILENCE_UNSURE, /* others have just been asked: check again soon */
};

/* @b has not answered the question sent at @asked_ns: why not? */
enum silence engine_silence(struct engine *e, struct backend *b,
			    uint64_t asked_ns, uint64_t now_ns);

/* A question to @b is being sent; @b has answered something. */
void engine_asks(struct engine *e, struct backend *b, uint64_t now_ns);
void engine_heard_from(struct engine *e, struct backend *b, uint64_t now_ns);
/* @b is asked no more: its silence, if it counts as the link's, is over. */
void engine_forget_silence(struct engine *e, struct backend *b);
/* The same as engine_heard_from(), for the answer to a check. */
void engine_probed(struct engine *e, struct backend *b, uint64_t now_ns);

#endif
