/* SPDX-License-Identifier: MIT */
/*
 * How reconnects are spread, so that the clients of a dead instance do not all
 * come at once (section 7 of the design). Pure.
 */
#ifndef CHAT_SPREAD_H
#define CHAT_SPREAD_H

#include <stdint.h>

#define SPREAD_MIN_MS 200
#define SPREAD_MAX_MS 5000

/* What welcome tells: 1 ms a client of the instance, within the limits. */
unsigned spread_ms(unsigned clients);

/* When one client of a draining instance shall reconnect: below window_ms. */
unsigned spread_pick_ms(unsigned window_ms, uint32_t random);

#endif
