/* SPDX-License-Identifier: MIT */
/*
 * inside.h - the inside of an engine, for tests that must look or meddle there
 *
 * core/engine.h and core/view.h show what the program may know. Of the tests
 * only tests/rig includes core/state.h; what others need of it is here.
 */
#ifndef L4LB_INSIDE_H
#define L4LB_INSIDE_H

#include "core/engine.h"
#include "core/service.h"
#include "core/view.h"

struct service *inside_service(const struct engine *e, unsigned service);
struct backend *inside_backend(const struct engine *e, unsigned service,
			       unsigned backend);
struct backend *inside_backend_of(const struct engine *e, const struct flow *f);

/* The ports of one of our addresses toward one backend. */
struct inside_pool {
	struct ip_addr source;
	struct endpoint backend;
	uint32_t size, free, recyclable;
	unsigned holders; /* backends that have it as a source */
};

unsigned inside_pools(const struct engine *e);
struct inside_pool inside_pool(const struct engine *e, unsigned pool);

/* Segments in the outbox; the oldest is number 0. */
unsigned inside_outbox(const struct engine *e);
const struct segment *inside_waiting(const struct engine *e, unsigned i);

/* SYNs that are kept until a backend answers; forgets that of @flow. */
uint32_t inside_kept_syns(const struct engine *e);
void inside_forget_syn(struct engine *e, struct flow *flow);

/* Ends the flow by our resets, as a sweep does. */
void inside_reset(struct engine *e, struct flow *flow, uint64_t now_ns);

/* Where a sweep is, and for how many places it goes on. */
uint32_t inside_sweep_at(const struct engine *e);
uint32_t inside_sweep_left(const struct engine *e);
void inside_set_sweep(struct engine *e, uint32_t at, uint32_t left);

/*
 * After a takeover the backends' totals are those of the flows that live on,
 * and the table's number goes on from theirs: makes them agree again, for
 * rules_broken().
 */
void inside_balance(struct engine *e);

/* What engine_set_way() has set, and when that link was heard; 0: never. */
int inside_way(const struct engine *e, unsigned way);
uint64_t inside_way_heard_ns(const struct engine *e, unsigned way);

/* Backends whose link is silent too. */
unsigned inside_cut_off(const struct engine *e);

#endif
