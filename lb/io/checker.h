/* SPDX-License-Identifier: MIT */
/*
 * checker.h - the engine's health checks that need sockets of the host
 *
 * The engine decides which backend to check and how (tcp, http and expect; it
 * does syn itself). io/probe carries the check out, and the result goes back to
 * the engine. In each turn of the main loop: checker_read(), then the engine's
 * tick, which may ask for more probes, then checker_start().
 */
#ifndef L4LB_CHECKER_H
#define L4LB_CHECKER_H

#include "core/engine.h"

struct checker;

/*
 * Without checks by sockets it costs a descriptor and nothing else. @engine is
 * borrowed. @nat_lo, @nat_hi: see probe_open(); -EINVAL if they leave no port,
 * and a service of @engine needs some.
 */
int checker_open(struct checker **out, struct engine *engine, uint16_t nat_lo,
		 uint16_t nat_hi, struct err *err);
/* Accepts NULL. */
void checker_close(struct checker *c);

/* Can a check that needs sockets be made? -EINVAL: see checker_open(). */
int checker_can(const struct checker *c, struct err *err);

/* Readable when a result is there. */
int checker_fd(const struct checker *c);

/* Gives results and timeouts to the engine. */
void checker_read(struct checker *c, uint64_t now_ns);

/* Starts the probes that the engine wants. Returns when to call again. */
uint64_t checker_start(struct checker *c, uint64_t now_ns);

/*
 * Returns the errno of the last probe that could not be made since the last
 * call, or 0, and their number in @n. Their backends keep their states.
 */
int checker_trouble(struct checker *c, unsigned *n);

#endif
