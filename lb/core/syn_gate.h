/* SPDX-License-Identifier: MIT */
/*
 * syn_gate.h - which SYNs go on when more come than can be carried
 *
 * A flood comes in the name of addresses that nobody has, so none of its SYNs
 * is ever sent again. An honest client sends its own again after a second (RFC
 * 6298). So while SYNs are being lost, one that was seen before goes first, and
 * of those seen for the first time only as many as a turn has room for; the
 * others are looked at, remembered and dropped, which costs a fraction of
 * carrying them. Who is honest gets through at the second try, where it would
 * be a matter of chance: as long as his first one was seen, and is not
 * forgotten over those that came since. Of 100,000 a second 9 of 10 are
 * remembered for the second that it takes, of a million a third.
 *
 * Open as long as nothing is lost: then it costs a comparison.
 */
#ifndef L4LB_SYN_GATE_H
#define L4LB_SYN_GATE_H

#include <stdbool.h>
#include <stdint.h>

#define SYN_GATE_FIRST	   64 /* first SYNs that a turn carries while closed */
#define SYN_GATE_LOOK	   1024 /* SYNs that a turn looks at while closed */
#define SYN_GATE_BITS	   20	/* places, as a power of two */
#define SYN_GATE_CLOSED_NS 500000000ull /* after the last one was lost */
#define SYN_GATE_MEMORY_S  8 /* of a SYN: its copies come after 1 and 3 s */

/*
 * So many that are refused would have been lost, had it been open; fewer wait
 * in the ring until there is time for them.
 */
#define SYN_GATE_WAITING 2048

struct syn_gate {
	/* 24 bits of a SYN's hash, 8 of the second when it was first seen. */
	uint32_t *seen;
	uint64_t closed_until_ns;
	unsigned first;	  /* that this turn may still carry */
	unsigned refused; /* since the closing was last put off */
};

/* Has no memory before the first loss; then 4 MiB. */
void syn_gate_init(struct syn_gate *g);
void syn_gate_free(struct syn_gate *g);

/* SYNs were lost before anybody saw them. Without memory it stays open. */
void syn_gate_lost(struct syn_gate *g, uint64_t now_ns);

/* A turn begins; how many SYNs to look at in it. */
unsigned syn_gate_turn(struct syn_gate *g, uint64_t now_ns);

/* @hash: of addresses and ports, by a secret. */
bool syn_gate_passes(struct syn_gate *g, uint32_t hash, uint32_t isn,
		     uint64_t now_ns);

#endif
