/* SPDX-License-Identifier: MIT */
#include <time.h>

#include "api/api.h"
#include "clock.h"
#include "core/time.h"

#define BOARD_WAIT_NS NS_PER_S
#define BOARD_LOOK_NS (2 * NS_PER_MS)

uint64_t api_generation(const struct api *api)
{
	struct board_global global;

	return board_read_global(api->board, &global) ? global.generation : 0;
}

static uint64_t rows_generation(const struct api *api)
{
	struct board_global global;

	return board_read_global(api->board, &global) ? global.rows_generation
						      : 0;
}

bool api_wait_generation(const struct api *api, uint64_t generation)
{
	const struct timespec look = {.tv_nsec = BOARD_LOOK_NS};
	const uint64_t until_ns = clock_now_ns() + BOARD_WAIT_NS;

	while (rows_generation(api) < generation) {
		if (clock_now_ns() >= until_ns)
			return false;
		(void)nanosleep(&look, NULL);
	}
	return true;
}
