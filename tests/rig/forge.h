/* SPDX-License-Identifier: MIT */
/*
 * forge.h - flows as somebody may write them into a state file
 *
 * The checksum over a flow's identity keeps accidents out, not people: it has
 * no key. So whoever wants to see what the rest of the takeover believes makes
 * it right.
 */
#ifndef L4LB_TEST_FORGE_H
#define L4LB_TEST_FORGE_H

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "core/flow.h"

/* As identity_check() in flow.c; a test sees to it that they agree. */
static inline uint32_t forge_check(const struct flow *f)
{
	struct {
		struct flow_pair pair[FLOW_SIDES];
		uint32_t generation;
		uint8_t proto, zero[3];
	} whole = {.generation = f->generation, .proto = f->proto};

	memcpy(whole.pair, f->pair, sizeof(whole.pair));
	return XXH32(&whole, sizeof(whole), 0);
}

static inline void forge_seal(struct flow *f)
{
	f->check = forge_check(f);
	f->open = 1;
}

#endif
