/* SPDX-License-Identifier: MIT */
/*
 * cut.h - cuts a super-packet into segments where the kernel cannot do it, and
 * shortens a SYN with data to one segment, which the kernel cannot do either
 *
 * Does what TCP segmentation offload does: sequence number and IP
 * identification advance, FIN and PSH go into the last piece, CWR into the
 * first (RFC 3168 section 6.1.2), checksums are full.
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

/* Makes the next piece; its payload stays in the original. False at the end. */
bool cut_next(struct cut *cut, struct packet *piece);

/*
 * Shortens the data of a SYN (Fast Open) to @size. A second piece would be
 * another SYN with another sequence number, which a receiver answers with a
 * RST. The sender retransmits what was not acknowledged, as it must anyway (RFC
 * 7413 section 4.2). Packets that are no SYN stay as they are.
 */
void cut_syn(struct packet *p, uint32_t size);

#endif
