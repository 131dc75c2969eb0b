/* SPDX-License-Identifier: MIT */
/* half_open.h - the engine's own check: SYN, an answer, RST */
#ifndef L4LB_HALF_OPEN_H
#define L4LB_HALF_OPEN_H

#include "core/state.h"

int half_open_init(struct engine *e); /* -ENOMEM */

/* False: it could not be asked now. */
bool half_open_start(struct engine *e, struct backend *b, unsigned pool);

/* The check of @b that is under way, if there is one, is decided. */
void half_open_over(struct backend *b);

/*
 * True if @p came to a port of these checks: it was dealt with. *decided: whose
 * running check it answers, with *result; NULL: nobody's.
 */
bool half_open_answer(struct engine *e, const struct packet *p,
		      struct backend **decided, enum check_result *result,
		      uint64_t now_ns);

#endif
