/* SPDX-License-Identifier: MIT */
/*
 * syn_gate.h - which SYNs pass when more arrive than we can handle
 *
 * A flood has forged sources, so none of its SYNs is ever sent again. An honest
 * client repeats its SYN after a second (RFC 6298). So while SYNs are being
 * lost, SYNs seen before pass first. Of those seen for the first time only as
 * many pass as a turn has room for; the others are remembered and dropped,
 * which costs a fraction of forwarding them. An honest client thus gets through
 * with its second SYN instead of by chance, if its first one was seen and is
 * still remembered. Of 100,000 SYNs a second 9 of 10 are still remembered after
 * that second, of a million a third.
 *
 * The gate is open while nothing is lost; then it costs one comparison.
 */
#ifndef L4LB_SYN_GATE_H
#define L4LB_SYN_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/time.h"

#define SYN_GATE_FIRST	   64	/* new SYNs that pass per turn while closed */
#define SYN_GATE_LOOK	   1024 /* SYNs read per turn while closed */
#define SYN_GATE_BITS	   20	/* log2 of places */
#define SYN_GATE_CLOSED_NS (NS_PER_S / 2) /* after the last loss */
#define SYN_GATE_MEMORY_S  8 /* a SYN's copies come after 1 and 3 s */

/*
 * The gate stays closed when this many SYNs were refused: an open gate would
 * have lost them. Fewer wait in the ring until there is time for them.
 */
#define SYN_GATE_WAITING 2048

struct syn_gate {
	/* 24 bits of a SYN's hash, 8 bits of the second it was first seen. */
	uint32_t *seen;
	uint64_t closed_until_ns;
	unsigned first;	  /* new SYNs that may still pass this turn */
	unsigned refused; /* since @closed_until_ns was last set */
};

/* Allocates 4 MiB, but only at the first loss. */
void syn_gate_init(struct syn_gate *g);
void syn_gate_free(struct syn_gate *g);

/* SYNs were lost unread: closes the gate. It stays open if memory is short. */
void syn_gate_lost(struct syn_gate *g, uint64_t now_ns);

/* A turn begins; returns how many SYNs to read in it. */
unsigned syn_gate_turn(struct syn_gate *g, uint64_t now_ns);

/* @hash: keyed hash of addresses and ports. */
bool syn_gate_passes(struct syn_gate *g, uint32_t hash, uint32_t isn,
		     uint64_t now_ns);

#endif
