/* SPDX-License-Identifier: MIT */
/* evidence.h - what real connections say of a backend, and what follows */
#ifndef L4LB_EVIDENCE_H
#define L4LB_EVIDENCE_H

#include "core/state.h"

/* What traffic says about a backend (passive checks). */
void engine_backend_answered(struct engine *e, struct backend *b,
			     uint32_t ticket, uint64_t now_ns);
void engine_backend_failed(struct engine *e, struct backend *b, uint32_t ticket,
			   const struct ip_addr *client, enum check_result why,
			   uint64_t now_ns);

/* Its checks fail at present, or have failed it. */
static inline bool engine_fails_checks(const struct engine *e,
				       const struct backend *b)
{
	return e->services[b->service].checked &&
	       (!b->up || b->health.streak > 0);
}

/* It may be gone: the active check is to ask soon, where there is one. */
void engine_suspect(struct engine *e, struct backend *b, uint64_t now_ns);

/*
 * True if what @b may have answered since @sent_ns may have been lost in our
 * captures: its silence is no evidence.
 */
bool engine_excuses(struct engine *e, struct backend *b, uint64_t sent_ns,
		    uint64_t now_ns);

/* Its flows are to be reset, a few at a time: engine_sweep() does it. */
void engine_start_sweep(struct engine *e, struct backend *b);

#endif
