/* SPDX-License-Identifier: MIT */
/*
 * The index is one array of (hash, reference) slots with linear probing, at
 * most two thirds full, so a lookup reads one cache line of it, then the flow.
 * The 32-bit hash in the slot nearly always decides without reading the flow.
 * Closing shifts later slots back instead of leaving tombstones, so the index
 * never needs a rebuild.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "core/flow.h"

static_assert(FLOW_SECRET_BYTES == XXH3_SECRET_DEFAULT_SIZE, "a whole secret");
static_assert(FLOWS_MAX <= UINT32_MAX / 8, "index and side fit a reference");

int flow_table_init(struct flow_table *t, struct flow *flows, uint32_t size,
		    const uint8_t secret[FLOW_SECRET_BYTES],
		    struct flow_slot *slots, struct flow_note *notes)
{
	memset(t, 0, sizeof(*t));
	assert(size > 0);
	assert(size <= FLOWS_MAX);
	t->flows = flows;
	t->size = size;
	t->n_slots = size * FLOW_SLOTS;
	memcpy(t->secret, secret, sizeof(t->secret));
	t->own_slots = !slots;
	t->slots = slots ? slots : calloc(t->n_slots, sizeof(*t->slots));
	t->own_notes = !notes;
	t->notes = notes ? notes : calloc(size, sizeof(*t->notes));
	return t->slots && t->notes ? 0 : -ENOMEM;
}

void flow_table_free(struct flow_table *t)
{
	if (t->own_slots)
		free(t->slots);
	if (t->own_notes)
		free(t->notes);
	t->slots = NULL;
	t->notes = NULL;
}

uint32_t flow_hash(const struct flow_table *t, const struct flow_key *key)
{
	return (uint32_t)XXH3_64bits_withSecret(key, sizeof(*key), t->secret,
						sizeof(t->secret));
}

/* Multiplication maps the hash onto any table size, in order. */
static uint32_t home_slot(const struct flow_table *t, uint32_t hash)
{
	return (uint32_t)((uint64_t)hash * t->n_slots >> 32);
}

static uint32_t after_slot(const struct flow_table *t, uint32_t slot)
{
	return slot + 1 < t->n_slots ? slot + 1 : 0;
}

void flow_prefetch_slot(const struct flow_table *t, uint32_t hash)
{
	__builtin_prefetch(&t->slots[home_slot(t, hash)]);
}

void flow_prefetch(const struct flow_table *t, uint32_t hash)
{
	uint32_t i = home_slot(t, hash);

	for (; t->slots[i].ref; i = after_slot(t, i)) {
		if (t->slots[i].hash == hash) {
			uint32_t at = (t->slots[i].ref - 1) / 2;
			const char *flow = (const char *)&t->flows[at];

			__builtin_prefetch(flow, 1);
			__builtin_prefetch(flow + 64, 1);
			__builtin_prefetch(flow + 128, 1);
			return;
		}
	}
}

struct flow *flow_find(const struct flow_table *t, const struct flow_key *key,
		       uint32_t hash, enum flow_side *side)
{
	uint32_t i = home_slot(t, hash);

	for (; t->slots[i].ref; i = after_slot(t, i)) {
		const struct flow_slot *slot = &t->slots[i];
		struct flow *flow;
		enum flow_side s;

		if (slot->hash != hash)
			continue;
		flow = &t->flows[(slot->ref - 1) / 2];
		s = (slot->ref - 1) & 1;
		if (flow->proto == key->proto &&
		    memcmp(&flow->pair[s], &key->pair, sizeof(key->pair)) ==
			    0) {
			*side = s;
			return flow;
		}
	}
	return NULL;
}

static void key_of(const struct flow *flow, enum flow_side side,
		   struct flow_key *key)
{
	memset(key, 0, sizeof(*key));
	key->pair = flow->pair[side];
	key->proto = flow->proto;
}

static void index_add(struct flow_table *t, const struct flow *flow,
		      enum flow_side side)
{
	struct flow_key key;
	uint32_t hash, i;

	key_of(flow, side, &key);
	hash = flow_hash(t, &key);
	i = home_slot(t, hash);
	while (t->slots[i].ref)
		i = after_slot(t, i);
	t->slots[i].hash = hash;
	t->slots[i].ref = 1 + flow_index(t, flow) * 2 + side;
}

static void index_remove(struct flow_table *t, const struct flow *flow,
			 enum flow_side side)
{
	const uint32_t ref = 1 + flow_index(t, flow) * 2 + side;
	struct flow_key key;
	uint32_t hole, i;

	key_of(flow, side, &key);
	hole = home_slot(t, flow_hash(t, &key));
	while (t->slots[hole].ref != ref) {
		assert(t->slots[hole].ref); /* an open flow is in the index */
		hole = after_slot(t, hole);
	}

	/* Move back every slot that may be nearer to its home. */
	for (i = after_slot(t, hole); t->slots[i].ref; i = after_slot(t, i)) {
		uint32_t home = home_slot(t, t->slots[i].hash);
		uint32_t from_home =
			i >= home ? i - home : i + t->n_slots - home;
		uint32_t from_hole =
			i >= hole ? i - hole : i + t->n_slots - hole;

		if (from_home >= from_hole) {
			t->slots[hole] = t->slots[i];
			hole = i;
		}
	}
	t->slots[hole].ref = 0;
}

/* The checksum by which a restart trusts an identity in the state file. */
static uint32_t identity_check(const struct flow *flow)
{
	struct {
		struct flow_pair pair[FLOW_SIDES];
		uint32_t generation;
		uint8_t proto, zero[3];
	} whole = {.generation = flow->generation, .proto = flow->proto};

	memcpy(whole.pair, flow->pair, sizeof(whole.pair));
	return XXH32(&whole, sizeof(whole), 0);
}

bool flow_is_whole(const struct flow *flow)
{
	return flow->open == 1 && flow->check == identity_check(flow);
}

/*
 * The next process sees a flow only if @open is set. @open is stored last and
 * cleared first, so kill -9 at any moment leaves a whole flow or none.
 */
static void publish(struct flow_table *t, struct flow *flow)
{
	flow->check = identity_check(flow);
	__atomic_store_n(&flow->open, 1, __ATOMIC_RELEASE);
	index_add(t, flow, FLOW_ORIG);
	index_add(t, flow, FLOW_REPLY);
}

static void withdraw(struct flow_table *t, struct flow *flow)
{
	index_remove(t, flow, FLOW_ORIG);
	index_remove(t, flow, FLOW_REPLY);
	__atomic_store_n(&flow->open, 0, __ATOMIC_RELEASE);
	/* Whoever reads what is stored next sees that it is closed. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static void set_identity(struct flow *flow, const struct flow_identity *id)
{
	flow->pair[FLOW_ORIG].src = id->client;
	flow->pair[FLOW_ORIG].dst = id->vip;
	flow->pair[FLOW_REPLY].src = id->backend;
	flow->pair[FLOW_REPLY].dst = id->nat;
	flow->proto = id->proto;
	flow->service = id->service_index;
	flow->backend = id->backend_index;
	flow->pool = id->pool;
}

/*
 * Takes used places first, then fresh ones in order: only memory that was
 * needed at some time is ever touched.
 */
static struct flow *take_place(struct flow_table *t)
{
	struct flow *flow;

	if (t->used == t->size)
		return NULL;
	if (t->free_head) {
		flow = &t->flows[t->free_head - 1];
		t->free_head = flow->pending;
	} else {
		flow = &t->flows[t->fresh++];
	}
	assert(!flow->open);
	t->used++;
	return flow;
}

static void give_place(struct flow_table *t, struct flow *flow)
{
	flow->pending = t->free_head;
	t->free_head = flow_index(t, flow) + 1;
}

struct flow *flow_open(struct flow_table *t, const struct flow_identity *id,
		       uint64_t now_ns)
{
	struct flow *flow = take_place(t);
	uint32_t generation;

	if (!flow)
		return NULL;

	generation = flow->generation + 1;
	memset(flow, 0, sizeof(*flow));
	flow->generation = generation;
	set_identity(flow, id);
	flow->opened_ns = now_ns;
	flow->seen_ns = now_ns;
	flow->id = ++t->opened;
	*flow_note(t, flow) = (struct flow_note){0};
	publish(t, flow);
	return flow;
}

void flow_rebind(struct flow_table *t, struct flow *flow,
		 const struct flow_identity *id)
{
	assert(flow->open);
	withdraw(t, flow);
	set_identity(flow, id);
	publish(t, flow);
}

void flow_close(struct flow_table *t, struct flow *flow)
{
	assert(flow->open);
	withdraw(t, flow);
	give_place(t, flow);
	t->used--;
}

static bool key_taken(const struct flow_table *t, const struct flow *flow,
		      enum flow_side side)
{
	enum flow_side other;
	struct flow_key key;

	key_of(flow, side, &key);
	return flow_find(t, &key, flow_hash(t, &key), &other) != NULL;
}

uint32_t flow_table_adopt(struct flow_table *t, flow_keep_fn *keep, void *arg,
			  uint32_t *refused)
{
	*refused = 0;
	assert(t->used == 0);
	for (uint32_t i = t->size; i-- > 0;) {
		struct flow *flow = &t->flows[i];

		if (flow_is_whole(flow) && !key_taken(t, flow, FLOW_ORIG) &&
		    !key_taken(t, flow, FLOW_REPLY) && keep(arg, flow)) {
			index_add(t, flow, FLOW_ORIG);
			index_add(t, flow, FLOW_REPLY);
			if (flow->id > t->opened)
				t->opened = flow->id;
			t->used++;
			if (t->fresh == 0)
				t->fresh = i + 1;
			continue;
		}
		if (flow->open) {
			++*refused;
			flow->open = 0;
		}
		if (t->fresh > 0)
			give_place(t, flow);
	}
	return t->used;
}

struct flow *flow_next(const struct flow_table *t, uint32_t from)
{
	for (uint32_t i = from; i < t->size; i++)
		if (t->flows[i].open)
			return &t->flows[i];
	return NULL;
}
