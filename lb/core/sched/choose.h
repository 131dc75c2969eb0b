/* SPDX-License-Identifier: MIT */
/*
 * choose.h - which backend takes the next flow
 *
 * Choosing and moving on are apart: sched_choose() changes nothing, so whoever
 * wants to know where a client would go may ask at any time, and gets the
 * answer that the client's SYN will get. sched_commit() follows once the flow
 * really has the backend.
 */
#ifndef L4LB_CHOOSE_H
#define L4LB_CHOOSE_H

#include <stddef.h>

#include "core/service.h"

struct sched_question {
	struct backend_set tried;      /* none of these */
	const struct endpoint *client; /* hash and maglev go by it */
	uint64_t now_ns;
};

/* How a choice came about: for sched_commit(), and for whoever explains it. */
struct sched_why {
	bool by_weight; /* by credits: the rest is set, and only then */
	bool anew;	/* the credits are void, a new round begins */
	unsigned n;
	struct backend *may[SERVICE_BACKENDS_MAX]; /* those that could be had */
	uint32_t weight[SERVICE_BACKENDS_MAX];	   /* theirs now */
	int64_t sum;				   /* of the weights */
};

/*
 * The backend for a flow of the client, none of those tried; NULL if none is
 * left. Backups follow when all other backends that take flows have been tried;
 * backends with an open breaker come last, so passive evidence alone never
 * takes away the last one.
 */
struct backend *sched_choose(const struct service *s,
			     const struct sched_question *q,
			     struct sched_why *why);

/*
 * @b has got the flow; @why is of the sched_choose() that answered @b. Nothing
 * else of @s may have been committed or changed in between.
 */
void sched_commit(struct service *s, struct backend *b,
		  const struct sched_why *why);

/*
 * For a service that has its params, before it has backends. @secret: where
 * the default key of hash comes from; keep it over a restart. @seed: for p2c.
 * -ENOMEM: maglev has no room for its table.
 */
int sched_init(struct service *s, const void *secret, size_t secret_len,
	       uint64_t seed);
void sched_free(struct service *s); /* also one that is all zero */

/*
 * Call it after every change of the service's params, or of its backends but
 * for their health: one more or less, its weight, backup, administrator's
 * state. The schedulers by turn go on where they are; maglev's table becomes
 * stale.
 */
void sched_changed(struct service *s);

/*
 * Builds maglev's table anew if it is stale (half a millisecond), and returns
 * whether it did. Until then flows follow the old one, and leave out whom they
 * may not have. A service that only now gets that scheduler gets the memory
 * here, 32 KiB; until there is some it decides as hash does.
 */
bool sched_refresh(struct service *s);

#endif
