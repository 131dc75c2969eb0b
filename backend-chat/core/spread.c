/* SPDX-License-Identifier: MIT */
/* See spread.h. */
#include "core/spread.h"

unsigned spread_ms(unsigned clients)
{
	if (clients < SPREAD_MIN_MS)
		return SPREAD_MIN_MS;
	return clients > SPREAD_MAX_MS ? SPREAD_MAX_MS : clients;
}

unsigned spread_pick_ms(unsigned window_ms, uint32_t random)
{
	return (unsigned)((uint64_t)window_ms * random >> 32);
}
