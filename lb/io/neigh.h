/* SPDX-License-Identifier: MIT */
/*
 * neigh.h - the neighbours that a frame can be sent to, as the kernel tells
 *
 * Holds only usable ones: what is being resolved or has FAILED is not here, so
 * that a scan of the network, which the kernel answers with thousands of
 * INCOMPLETE entries, takes no place. Bounded: what does not fit is not
 * remembered, and its packets go by raw IP.
 *
 * An entry keeps its index as long as it lives. Who remembers an index also
 * remembers the generation, which changes whenever entries come or go (but not
 * when one changes its MAC or state); if it differs, look again.
 *
 * No system calls: netlink.c fills it, the tests do so by hand.
 */
#ifndef L4LB_NEIGH_H
#define L4LB_NEIGH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"

#define NEIGH_MAX  8192
#define NEIGH_NONE UINT32_MAX

struct neigh_key {
	struct ip_addr addr;
	int32_t ifindex;
};
static_assert(sizeof(struct neigh_key) == 20, "hashed as bytes: no padding");

struct neigh {
	uint8_t mac[6];
	uint16_t state;	    /* NUD_* */
	uint64_t probed_ns; /* when the kernel was last asked to verify it */
	/* of the table */
	struct neigh_key key;
	uint32_t next; /* of its chain, or of the free ones */
	uint32_t seen; /* the sweep it was last heard in; 0: free */
};

struct neigh_table;

int neigh_table_new(struct neigh_table **out);
void neigh_table_free(struct neigh_table *t);

/* May a frame be sent to a neighbour in this state (NUD_*)? */
bool neigh_state_usable(uint16_t state);

uint64_t neigh_generation(const struct neigh_table *t);
uint32_t neigh_find(const struct neigh_table *t, const struct neigh_key *key);
struct neigh *neigh_at(struct neigh_table *t, uint32_t index);

/* What the kernel said: adds, changes, or removes if it is not usable now.
 * @mac: NULL if it gave none. -ENOSPC: full, not remembered.
 */
int neigh_update(struct neigh_table *t, const struct neigh_key *key,
		 uint16_t state, const uint8_t *mac);
void neigh_remove(struct neigh_table *t, const struct neigh_key *key);
void neigh_remove_link(struct neigh_table *t, int ifindex);

/* Around a reading of everything: what is not heard of in between goes. */
void neigh_sweep_begin(struct neigh_table *t);
void neigh_sweep_end(struct neigh_table *t);

#endif
