/* SPDX-License-Identifier: MIT */
/*
 * neigh.h - the neighbours that frames can be sent to, as the kernel reports
 * them
 *
 * Holds usable neighbours only. INCOMPLETE and FAILED ones are left out, so a
 * scan of the network, which makes thousands of them, takes no place. The table
 * is bounded. A neighbour that does not fit is not remembered, and its packets
 * go by raw IP.
 *
 * An entry keeps its index as long as it lives. A caller that stores an index
 * also stores the generation, and looks the entry up again when the generation
 * has changed. It changes when an entry comes or goes, but not when an entry
 * changes its MAC or state.
 *
 * No system calls: netlink.c fills the table, the tests fill it by hand.
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
	uint64_t probed_ns; /* time of the last request to verify it */
	/* the generation of the table */
	struct neigh_key key;
	uint32_t next; /* in its hash chain or in the free list */
	uint32_t seen; /* number of the sweep that last saw it; 0: free */
};

struct neigh_table;

int neigh_table_new(struct neigh_table **out);
void neigh_table_free(struct neigh_table *t);

uint64_t neigh_generation(const struct neigh_table *t);
uint32_t neigh_find(const struct neigh_table *t, const struct neigh_key *key);
struct neigh *neigh_at(struct neigh_table *t, uint32_t index);

/*
 * Applies a message of the kernel: adds or changes the entry, or removes it if
 * it is not usable now. @mac: NULL if the message has none. Returns -ENOSPC if
 * the table is full; the neighbour is not remembered then.
 */
int neigh_update(struct neigh_table *t, const struct neigh_key *key,
		 uint16_t state, const uint8_t *mac);
void neigh_remove(struct neigh_table *t, const struct neigh_key *key);
void neigh_remove_link(struct neigh_table *t, int ifindex);

/*
 * Call these around a complete reading: the end removes what was not seen since
 * the begin.
 */
void neigh_sweep_begin(struct neigh_table *t);
void neigh_sweep_end(struct neigh_table *t);

#endif
