/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/neighbour.h>
#include <stdlib.h>

#include "net/addr_hash.h"
#include "net/neigh.h"

#define CHAINS NEIGH_MAX /* a power of two */
static_assert((CHAINS & (CHAINS - 1)) == 0, "chains are chosen by a mask");

#define USABLE                                                               \
	(NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | \
	 NUD_NOARP)

struct neigh_table {
	uint64_t generation;
	uint32_t sweep; /* never 0: that marks a free entry */
	uint32_t free;	/* head of the free list */
	struct addr_hash_key hash_key;
	uint32_t chains[CHAINS];
	struct neigh entries[NEIGH_MAX];
};

int neigh_table_new(struct neigh_table **out)
{
	struct neigh_table *t = calloc(1, sizeof(*t));
	uint32_t i;
	int ret;

	if (!t)
		return -ENOMEM;
	ret = addr_hash_key_draw(&t->hash_key);
	if (ret) {
		free(t);
		return ret;
	}
	for (i = 0; i < CHAINS; i++)
		t->chains[i] = NEIGH_NONE;
	for (i = 0; i < NEIGH_MAX; i++)
		t->entries[i].next = i + 1 < NEIGH_MAX ? i + 1 : NEIGH_NONE;
	t->sweep = 1;
	*out = t;
	return 0;
}

void neigh_table_free(struct neigh_table *t)
{
	free(t);
}

uint64_t neigh_generation(const struct neigh_table *t)
{
	return t->generation;
}

static uint32_t chain_of(const struct neigh_table *t,
			 const struct neigh_key *key)
{
	return addr_hash(&t->hash_key, key, sizeof(*key)) & (CHAINS - 1);
}

uint32_t neigh_find(const struct neigh_table *t, const struct neigh_key *key)
{
	uint32_t i = t->chains[chain_of(t, key)];

	while (i != NEIGH_NONE &&
	       memcmp(&t->entries[i].key, key, sizeof(*key)) != 0)
		i = t->entries[i].next;
	return i;
}

struct neigh *neigh_at(struct neigh_table *t, uint32_t index)
{
	assert(index < NEIGH_MAX);
	return &t->entries[index];
}

static uint32_t add(struct neigh_table *t, const struct neigh_key *key)
{
	uint32_t *chain = &t->chains[chain_of(t, key)];
	uint32_t i = t->free;

	if (i == NEIGH_NONE)
		return NEIGH_NONE;
	t->free = t->entries[i].next;
	t->entries[i] = (struct neigh){.key = *key, .next = *chain};
	*chain = i;
	t->generation++;
	return i;
}

int neigh_update(struct neigh_table *t, const struct neigh_key *key,
		 uint16_t state, const uint8_t *mac)
{
	struct neigh *n;
	uint32_t i;

	if (!mac || !(state & USABLE)) {
		neigh_remove(t, key);
		return 0;
	}
	i = neigh_find(t, key);
	if (i == NEIGH_NONE)
		i = add(t, key);
	if (i == NEIGH_NONE)
		return -ENOSPC;
	n = &t->entries[i];
	memcpy(n->mac, mac, sizeof(n->mac));
	n->state = state;
	n->seen = t->sweep;
	return 0;
}

void neigh_remove(struct neigh_table *t, const struct neigh_key *key)
{
	uint32_t *link = &t->chains[chain_of(t, key)];
	uint32_t i;

	while (*link != NEIGH_NONE &&
	       memcmp(&t->entries[*link].key, key, sizeof(*key)) != 0)
		link = &t->entries[*link].next;
	i = *link;
	if (i == NEIGH_NONE)
		return;
	*link = t->entries[i].next;
	t->entries[i] = (struct neigh){.next = t->free};
	t->free = i;
	t->generation++;
}

void neigh_remove_link(struct neigh_table *t, int ifindex)
{
	uint32_t i;

	for (i = 0; i < NEIGH_MAX; i++) {
		const struct neigh_key key = t->entries[i].key;

		if (t->entries[i].seen && key.ifindex == ifindex)
			neigh_remove(t, &key);
	}
}

void neigh_sweep_begin(struct neigh_table *t)
{
	if (++t->sweep == 0)
		t->sweep = 1;
}

void neigh_sweep_end(struct neigh_table *t)
{
	uint32_t i;

	for (i = 0; i < NEIGH_MAX; i++) {
		const struct neigh_key key = t->entries[i].key;

		if (t->entries[i].seen && t->entries[i].seen != t->sweep)
			neigh_remove(t, &key);
	}
}
