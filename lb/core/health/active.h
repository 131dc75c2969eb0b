/* SPDX-License-Identifier: MIT */
/* active.h - which backends are up: active checks */
#ifndef L4LB_ACTIVE_H
#define L4LB_ACTIVE_H

#include "core/state.h"

/* True if @p answers a half-open check; @p is then handled. */
bool engine_check_answer(struct engine *e, const struct packet *p,
			 uint64_t now_ns);

/*
 * If no backend of @s takes flows, newcomers may do so without a passed check.
 * Call it after one has ceased to.
 */
void engine_prove_last(struct service *s, uint64_t now_ns);

/* Starts checks, ends those late at @heard_ns; returns when to call again. */
uint64_t engine_run_checks(struct engine *e, uint64_t heard_ns,
			   uint64_t now_ns);

#endif
