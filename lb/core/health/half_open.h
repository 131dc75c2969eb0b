/* SPDX-License-Identifier: MIT */
/* half_open.h - the engine's own check: SYN, an answer, RST */
#ifndef L4LB_HALF_OPEN_H
#define L4LB_HALF_OPEN_H

#include "core/state.h"

/* False: the check could not be sent now. */
bool half_open_start(struct engine *e, struct backend *b, unsigned pool);

/* Ends the running check of @b, if there is one. */
void half_open_over(struct backend *b);

/*
 * True if @p was sent to a port of these checks; @p is then handled. *decided:
 * the backend whose running check @p answers with *result; NULL if none.
 */
bool half_open_answer(struct engine *e, const struct packet *p,
		      struct backend **decided, enum check_result *result,
		      uint64_t now_ns);

#endif
