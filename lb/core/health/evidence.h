/* SPDX-License-Identifier: MIT */
/* evidence.h - what real connections show about a backend, and what follows */
#ifndef L4LB_EVIDENCE_H
#define L4LB_EVIDENCE_H

#include "core/state.h"

/* Passive checks: a handshake was answered, or failed. */
void engine_backend_answered(struct engine *e, struct backend *b,
			     uint32_t ticket, uint64_t now_ns);
void engine_backend_failed(struct engine *e, struct backend *b, uint32_t ticket,
			   const struct ip_addr *client, enum check_result why,
			   uint64_t now_ns);

/* True if its checks fail at present, or have taken it down. */
static inline bool engine_fails_checks(const struct engine *e,
				       const struct backend *b)
{
	return backend_is_checked(&e->services[b->service], b) &&
	       (!b->up || b->health.streak > 0);
}

/* The backend may be dead: its active check, if it has one, runs soon. */
void engine_suspect(struct engine *e, struct backend *b, uint64_t now_ns);

/*
 * True if an answer of @b since @sent_ns may have been lost in our captures:
 * then its silence is no evidence.
 */
bool engine_excuses(struct engine *e, struct backend *b, uint64_t sent_ns,
		    uint64_t now_ns);

/* True if the flows of @b are to end because it is down and silent. */
bool engine_sweeps_down(const struct engine *e, const struct backend *b);

/* Marks the flows of @b for reset; engine_sweep() resets a few at a time. */
void engine_start_sweep(struct engine *e, struct backend *b);

#endif
