/* SPDX-License-Identifier: MIT */
/* layout.h - where the rows of a board are; for its writer and its readers */
#ifndef L4LB_BOARD_LAYOUT_H
#define L4LB_BOARD_LAYOUT_H

#include "board/board.h"
#include "board/latch.h"

/* Bytes from the beginning of the board, each the first latch of a table. */
struct board_layout {
	size_t global, services, backends, pools, taps;
	size_t bytes; /* of the board */
};

static inline struct board_layout board_layout(const struct board_head *h)
{
	struct board_layout at;

	at.global = latch_stride(sizeof(*h));
	at.services = at.global + latch_bytes(sizeof(struct board_global));
	at.backends = at.services +
		      h->services * latch_bytes(sizeof(struct board_service));
	at.pools =
		at.backends + (size_t)h->services * h->backends *
				      latch_bytes(sizeof(struct board_backend));
	at.taps = at.pools + h->pools * latch_bytes(sizeof(struct board_pool));
	at.bytes = at.taps + h->taps * latch_bytes(sizeof(struct board_tap));
	return at;
}

#endif
