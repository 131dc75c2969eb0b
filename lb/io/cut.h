/* SPDX-License-Identifier: MIT */
/*
 * cut.h - a super-packet into segments, where the kernel cannot do it; and a
 * SYN with data to one segment, which the kernel cannot do either
 *
 * The same as TCP segmentation offload does: sequence and IP identification
 * advance, FIN and PSH are kept for the last piece, CWR for the first (RFC
 * 3168 section 6.1.2), checksums are full.
 */
#ifndef L4LB_CUT_H
#define L4LB_CUT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/packet.h"

struct cut {
	const struct packet *whole;
	uint32_t size; /* payload bytes of a piece */
	uint32_t done;
	uint16_t pieces;
};

void cut_start(struct cut *cut, const struct packet *whole, uint32_t size);

/* The next piece; its payload lies in the whole. False at the end. */
bool cut_next(struct cut *cut, struct packet *piece);

/*
 * A SYN with more data than @size (Fast Open) keeps what fits: its second piece
 * would be another SYN, with another sequence, which a receiver answers with a
 * RST. The sender sends again what was not acknowledged, as it must anyway (RFC
 * 7413 section 4.2). Anything else is left as it is.
 */
void cut_syn(struct packet *p, uint32_t size);

#endif
