/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "link.h"

/*
 * Up to 15 bits next to each other: what the checksums are there to find.
 * Where a frame's full checksum happens to be its partial one nothing would
 * show, so that such a frame is left alone.
 */
static void corrupt(struct world *w, struct pkt *p)
{
	uint32_t at = roll(w, p->len * 8), bits = 1 + roll(w, 15);

	if (frame_csum_is(FRAME_PARTIAL, p->bytes, p->len))
		return;
	for (uint32_t i = at; i < at + bits && i < p->len * 8; i++)
		if (i == at || roll(w, 2))
			p->bytes[i / 8] ^= (uint8_t)(0x80 >> i % 8);
	p->origin.corrupted = true;
}

static void deliver(struct world *w, struct pkt *p, const struct habits *h,
		    bool to_lb)
{
	uint64_t at = w->now + h->delay + roll_ns(w, 0, h->jitter);

	if (chance(w, h->late))
		at += roll_ns(w, 0, 2 * SEC);
	world_at(w, at, to_lb ? EV_TO_LB : EV_TO_HOST, world_ref(w, p), 0);
}

void link_carry(struct world *w, struct pkt *p, bool to_lb, bool client)
{
	/* In order, too. */
	static const struct habits fair = {.delay = 2 * MS};
	const struct habits *h = client ? &w->plan.front : &w->plan.back;

	if (w->phase != ROUGH)
		h = &fair;
	if ((!client && balancer_is_cut(w)) || chance(w, h->loss)) {
		world_trace_pkt(w, "lost", p);
		world_drop_pkt(w, p);
		return;
	}
	if (chance(w, h->dup)) {
		struct pkt *copy = world_pkt(w);

		if (copy) {
			copy->origin = p->origin;
			copy->len = p->len;
			memcpy(copy->bytes, p->bytes, p->len);
			deliver(w, copy, h, to_lb);
		}
	}
	if (chance(w, h->corrupt))
		corrupt(w, p);
	deliver(w, p, h, to_lb);
}
