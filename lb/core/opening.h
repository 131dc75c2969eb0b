/* SPDX-License-Identifier: MIT */
/* opening.h - opens a flow: chooses its backend, our address and port */
#ifndef L4LB_OPENING_H
#define L4LB_OPENING_H

#include "core/sched/choose.h"
#include "core/state.h"

/* Where a SYN goes. */
struct choice {
	struct backend *backend; /* NULL: nowhere */
	unsigned pool;		 /* has a port toward it */
	enum drop_reason why;	 /* there is none */
};

/*
 * Chooses a backend of @s. If none has a free port, recycles closed and
 * half-open flows, then half-closed ones, but never @except. Those that have no
 * port are in @q->tried then, too. @why is for sched_commit().
 */
struct choice engine_pick(struct engine *e, struct service *s,
			  struct sched_question *q, struct sched_why *why,
			  const struct flow *except);

/* Opens a flow for the SYN @p; NULL with the reason in *why. */
struct flow *engine_open_flow(struct engine *e, unsigned service,
			      const struct packet *p, uint64_t now_ns,
			      enum drop_reason *why);

#endif
