/* SPDX-License-Identifier: MIT */
/*
 * reach.h - reports to the engine by which link each backend is reached, and
 * when anything was last heard on that link
 *
 * The engine judges by this whether a backend is silent, or we are cut off
 * (core/health/cut_off.c). It never waits for the kernel: the ways are looked
 * up here, a few at a time, when something in the network has changed.
 */
#ifndef L4LB_REACH_H
#define L4LB_REACH_H

#include <stdint.h>

struct app;

struct reach {
	unsigned next; /* the way to look up next */
	unsigned left; /* ways still to be looked up */
};

/* Links, addresses or routes have changed, or may have: looks at all ways. */
void reach_changed(struct app *app);

/*
 * Call before the engine judges: looks up some of the ways that are left, and
 * reports when the links were heard. Returns when to call again at the latest;
 * UINT64_MAX: at any time.
 */
uint64_t reach_report(struct app *app);

/* Call after engine_tick(): makes neighbours answer on links in question. */
void reach_ask(struct app *app);

#endif
