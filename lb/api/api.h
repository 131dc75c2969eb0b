/* SPDX-License-Identifier: MIT */
/*
 * api.h - what handlers of requests work with
 *
 * Readers never ask l4lb: what they show lies in memory that it writes and we
 * have mapped (lb/board). Only what changes something, and what is configured,
 * goes through the channels.
 */
#ifndef L4LB_API_H
#define L4LB_API_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/ask.h"
#include "board/board.h"
#include "board/flows_read.h"
#include "board/journal.h"

#define API_STATUS_MAX 600

struct flow_log;

struct api {
	/* Any number of threads may read with each. */
	const struct board_reader *board;
	const struct flows_reader *flows;
	const struct journal_reader *journal;
	struct flow_log *flow_log;   /* NULL: none is written */
	struct channel_end *asks;    /* questions */
	struct channel_end *changes; /* what changes something, one at a time */
	_Atomic uint64_t replies[API_STATUS_MAX]; /* by their status */
};

/* The generation of the configuration, as the board has it; 0: not known. */
uint64_t api_generation(const struct api *api);

/*
 * Waits until all rows of the board are of a generation or a later one, as they
 * are some milliseconds after a change; false: not within a second.
 */
bool api_wait_generation(const struct api *api, uint64_t generation);

#endif
