/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <string.h>

#include "attacker.h"
#include "path.h"

#define FAR   0x10000000u /* from everything sent or offered */
#define BURST 40	  /* SYNs of a flood */

/* Straight to the balancer, by no link of ours. */
static void inject(struct world *w, struct pkt *p)
{
	p->origin = (struct origin){.conn = -1, .forged = true};
	w->stats.forged++;
	world_trace_pkt(w, "attacker sends", p);
	world_at(w, w->now + roll_ns(w, 0, MS), EV_TO_LB, world_ref(w, p), 0);
}

static void inject_frame(struct world *w, struct frame *f)
{
	struct pkt *p = world_pkt(w);

	if (!p)
		return;
	f->window = (uint16_t)roll(w, 65536);
	p->len = frame_build(f, p->bytes);
	inject(w, p);
}

static struct tcp_end *victim(struct world *w)
{
	return w->n_live ? &w->ends[w->live[roll(w, w->n_live)]] : NULL;
}

/* Far from the truth, or in the window but past all that will ever be sent. */
static uint32_t wrong_seq(struct world *w, const struct tcp_end *e)
{
	uint32_t past =
		e->iss + 2 + (e->total > e->written ? e->total : e->written);

	if (roll(w, 2))
		return past + 1 + roll(w, 30000);
	return e->max + FAR + roll(w, 0xe0000000u - FAR);
}

/* In the name of @e, as the balancer sees it. */
static void spoof(struct world *w, const struct tcp_end *e)
{
	static const uint8_t flags[] = {RST,	   RST | ACK, FIN | ACK, SYN,
					ACK,	   SYN | ACK, ACK | PSH, RST,
					ACK | ECE, URG | ACK};
	uint8_t junk[64];
	struct frame f = {
		.src = e->local,
		.dst = e->remote,
		.flags = flags[roll(w, sizeof(flags))],
	};

	f.seq = wrong_seq(w, e);
	f.ack = roll(w, 4) ? (uint32_t)random_next(&w->random) : 0;
	if (roll(w, 3) == 0 && !(f.flags & (SYN | RST))) {
		memset(junk, 0x5a, sizeof(junk));
		f.payload = junk;
		f.payload_len = 1 + roll(w, sizeof(junk));
		f.seq = e->max + FAR + roll(w, 0xe0000000u - FAR);
	}
	if (f.flags & FIN)
		f.seq = e->max + FAR + roll(w, 0xe0000000u - FAR);
	/* It might win the race for the handshake, which is its right. */
	if (e->state == END_SYN_SENT && (f.flags & SYN))
		return;
	inject_frame(w, &f);
}

static void spoof_icmp(struct world *w, const struct tcp_end *e)
{
	static const uint8_t codes[] = {0, 1, 3, 4, 13};
	struct ip_addr router = frame_addr("203.0.113.9");
	struct frame about = {
		.src = e->remote,
		.dst = e->local,
		.seq = (uint32_t)random_next(&w->random),
		.flags = ACK,
		.payload_len = 100,
	};
	struct pkt *p = world_pkt(w);
	uint8_t segment[200];
	uint32_t len;

	if (!p)
		return;
	if (about.seq - e->irs < 1u << 20)
		about.seq += FAR;
	len = frame_build(&about, segment);
	if (roll(w, 4) == 0)
		segment[0] = 0x41; /* a header of 4 bytes */
	p->len = path_build_icmp(p->bytes, &router, 3, codes[roll(w, 5)], 100,
				 segment, len);
	inject(w, p);
}

static void flood(struct world *w)
{
	for (unsigned i = 0; i < BURST; i++) {
		struct frame f = {
			.dst = w->plan.listens[0],
			.seq = (uint32_t)random_next(&w->random),
			.flags = SYN,
		};

		f.src = frame_endpoint("198.18.77.0", (uint16_t)roll(w, 65536));
		f.src.addr.b[15] = (uint8_t)roll(w, 256);
		inject_frame(w, &f);
	}
}

/* It belongs to a connection of MPTCP that nobody here knows. */
static void join(struct world *w)
{
	static const uint8_t option[] = {30, 12, 0x10, 1, 7, 7,
					 7,  7,	 8,    8, 8, 8};
	struct frame f = {
		.src = frame_endpoint("203.0.113.7", (uint16_t)roll(w, 65536)),
		.dst = w->plan.listens[0],
		.seq = (uint32_t)random_next(&w->random),
		.flags = SYN,
		.options = option,
		.options_len = sizeof(option),
	};

	inject_frame(w, &f);
}

/* Not a packet that anybody should send: one of every kind. */
static void noise(struct world *w)
{
	struct pkt *p = world_pkt(w);
	struct frame f = {
		.src = frame_endpoint("203.0.113.7", 1234),
		.dst = w->plan.listens[0],
		.seq = (uint32_t)random_next(&w->random),
		.flags = (uint8_t)roll(w, 256),
		.payload_len = roll(w, 100),
		.ttl = roll(w, 4) ? 0 : 1,
	};

	if (!p)
		return;
	if (roll(w, 4) == 0)
		f.dst.port = (uint16_t)roll(w, 65536);
	p->len = frame_build(&f, p->bytes);
	switch (roll(w, 10)) {
	case 0: p->bytes[0] = 0x60; break;
	case 1: p->bytes[0] = 0x46; break;
	case 2: p->bytes[6] = 0x20; break;
	case 3: p->bytes[9] = 17; break;
	case 4: p->bytes[32] = 0x10; break;
	case 5: p->bytes[9] = 1; break; /* ICMP, of some kind */
	case 6: p->len = roll(w, p->len); break;
	case 7: p->bytes[3] ^= 0xff; break;
	case 8: p->bytes[20 + roll(w, 20)] ^= 0x55; break;
	case 9: break;
	}
	if (roll(w, 3))
		frame_fix_csums(p->bytes, p->len);
	inject(w, p);
}

void attacker_step(struct world *w)
{
	struct tcp_end *e = victim(w);

	if (w->plan.floods && roll(w, 10) == 0)
		flood(w);
	if (w->plan.noise && roll(w, 20) == 0)
		join(w);
	if (w->plan.noise && roll(w, 2))
		noise(w);
	if (!e || !w->plan.attack_ns)
		return;
	if (roll(w, 6) == 0)
		spoof_icmp(w, e);
	else
		spoof(w, e);
}
