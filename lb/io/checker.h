/* SPDX-License-Identifier: MIT */
/*
 * checker.h - the engine's questions to backends, put by the host's sockets
 *
 * The engine says which backend to ask what (tcp, http and expect; syn it does
 * itself), io/probe asks, and the answers go back to the engine. In a turn of
 * the main loop: checker_read(), then the engine's tick, which may want more
 * probes, then checker_start().
 */
#ifndef L4LB_CHECKER_H
#define L4LB_CHECKER_H

#include "core/engine.h"

struct checker;

/*
 * *@out stays NULL if no service of @engine (which is borrowed) needs one; all
 * functions below take that. @nat_lo, @nat_hi: see probe_open().
 */
int checker_open(struct checker **out, struct engine *engine, uint16_t nat_lo,
		 uint16_t nat_hi, struct err *err);
void checker_close(struct checker *c);

/* Readable when an answer is there; -1 without a checker. */
int checker_fd(const struct checker *c);

/* Gives the answers that have come, and missing ones, to the engine. */
void checker_read(struct checker *c, uint64_t now_ns);

/* Asks what the engine wants to know; returns when to call again. */
uint64_t checker_start(struct checker *c, uint64_t now_ns);

/*
 * Why a probe could not be made (an errno), if there was one since the last
 * call, and how many; else 0. Such a backend keeps the state it had.
 */
int checker_trouble(struct checker *c, unsigned *n);

#endif
