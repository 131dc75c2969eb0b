/* SPDX-License-Identifier: MIT */
/*
 * snapshot.h - copies of all rows of the board that are in use
 *
 * For answers that show each number of all services before the next number, as
 * metrics do: what they say of one backend is of one instant all the same.
 */
#ifndef L4LB_API_SNAPSHOT_H
#define L4LB_API_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "board/board.h"

struct snapshot_backend {
	unsigned slot;
	struct board_backend row;
};

struct snapshot_service {
	unsigned slot;
	struct board_service row;
	unsigned first, n; /* its backends, in .backends below */
};

struct snapshot {
	const struct board_head *head; /* of the reader */
	struct board_global global;
	struct snapshot_service *services;
	struct snapshot_backend *backends; /* of all services, in order */
	struct board_pool *pools;	   /* those that a backend has */
	struct board_tap *taps;
	unsigned n_services, n_backends, n_pools, n_taps;
};

/*
 * Copies what is LIVE or LEAVING. A removed service is left out if its name is
 * in use again, and so is a removed backend if another one of its service has
 * its id and address: what is shown has a name of its own. -ENOMEM, or -EAGAIN
 * if l4lb has not written anything yet. Then, and after a success too, call
 * snapshot_free().
 */
int snapshot_take(struct snapshot *out, const struct board_reader *board);
void snapshot_free(struct snapshot *s);

/* Where a backend stands, by the first of these that holds. */
enum standing {
	STANDING_LEAVING,  /* removed; its last connections go on */
	STANDING_DISABLED, /* by the administrator */
	STANDING_DOWN,	   /* by its checks */
	STANDING_UNPROVEN, /* new; its first check has not passed yet */
	STANDING_DRAIN,	   /* by the administrator, or weight 0 */
	STANDING_EJECTED,  /* handshakes with it failed: its breaker is open */
	STANDING_UP,
	STANDINGS
};
enum standing backend_standing(const struct board_backend *b);
/* "up", "drain"...; stable. */
const char *standing_name(enum standing standing);

#endif
