/* SPDX-License-Identifier: MIT */
/*
 * departure.h - what was removed goes, when nothing needs it any more
 */
#ifndef L4LB_DEPARTURE_H
#define L4LB_DEPARTURE_H

#include <stdint.h>

struct app;

/* Zeroed: not looked yet. */
struct departure {
	uint64_t look_ns; /* next look; UINT64_MAX: nothing leaves */
};

/* Call it when something was removed. */
void departure_begins(struct app *app);

/*
 * Call it in each turn of the loop. Takes what leaves from the guard, the
 * captures, the reservation, the engine and the configuration, in this order,
 * once its last flow has ended. Returns when to call it again at the latest;
 * UINT64_MAX: nothing leaves.
 */
uint64_t departure_turn(struct app *app);

#endif
