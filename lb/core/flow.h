/* SPDX-License-Identifier: MIT */
/*
 * flow.h - the table of connections passing through the balancer
 *
 * A flow is one client connection. Packets of either side find it: those that
 * the client sends (FLOW_ORIG) and those that the backend sends (FLOW_REPLY).
 * The table has a fixed size and lives in memory that the caller supplies; all
 * operations are O(1).
 *
 * A struct flow * stays valid until flow_close().
 *
 * Not thread-safe: one thread owns a table.
 */
#ifndef L4LB_FLOW_H
#define L4LB_FLOW_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/list.h"
#include "core/note.h"
#include "core/packet.h"
#include "core/tcp_track.h"
#include "core/wheel.h"

#define FLOWS_MAX  (4u << 20)
#define FLOW_SLOTS 3 /* index slots per flow: two thirds full */
#define FLOW_SECRET_BYTES                                   \
	192 /* XXH3_SECRET_DEFAULT_SIZE, asserted in flow.c \
	     */

/*
 * Three cache lines: identity, for look-up and rewriting; TCP tracking;
 * counters. Plain values without pointers.
 */
struct flow {
	/* Identity: written when the flow opens; changed only before a SYN-ACK
	 * was forwarded (flow_rebind). pair[side] has the addresses of packets
	 * as they arrive from that side; they leave with source pair[!side].dst
	 * and destination pair[!side].src.
	 */
	struct flow_pair pair[FLOW_SIDES];
	uint8_t proto;
	uint8_t open;	     /* 1: in use; stored last, see flow_open() */
	uint16_t service;    /* index in the engine */
	uint16_t backend;    /* index in the service */
	uint16_t pool;	     /* the pool of its NAT port */
	uint32_t generation; /* counts the flows of this place */
	uint32_t check;	     /* checksum of pair, proto, generation */

	struct tcp_track tcp;
	uint32_t pending; /* 1 + index of its kept SYN, see pending.h; 0: none.
			   * In a free place: 1 + the next free one, or 0.
			   */

	uint64_t packets[FLOW_SIDES]; /* from each side, as captured */
	uint64_t bytes[FLOW_SIDES];   /* of IP packets */
	uint64_t opened_ns;
	uint64_t seen_ns;	  /* its last packet, or our last RST */
	uint64_t id;		  /* number of the flow, from 1 */
	uint16_t mtu[FLOW_SIDES]; /* path MTU toward each side; 0: not known */
	uint8_t flags;		  /* enum flow_flag */
	uint8_t keepalives;	  /* probes sent since its last packet */
	uint8_t answered;	  /* sides that answered those, one bit each */
	uint8_t zero;
} __attribute__((aligned(64)));
static_assert(sizeof(struct flow) == 192, "with index and lists <= 256");

enum flow_flag {
	FLOW_KILLED = 0x01,	 /* we reset it: only answered, never revived */
	FLOW_HALF_OPEN = 0x02,	 /* counted in its service */
	FLOW_FAILED = 0x04,	 /* counted as failed in its backend */
	FLOW_HALF_CLOSED = 0x08, /* in the list of half-closed flows */
	FLOW_UNSERVED = 0x10,	 /* answered, but no payload came so far */
};

/* True if the flow is in use and its identity matches its checksum. */
bool flow_is_whole(const struct flow *flow);

/* Arguments of flow_open(). */
struct flow_identity {
	struct endpoint client, vip, nat, backend;
	uint8_t proto;
	uint16_t service_index, backend_index, pool;
};

struct flow_slot {
	uint32_t hash;
	uint32_t ref; /* 0: empty; else 1 + flow index * 2 + side */
};

struct flow_table {
	struct flow *flows;
	struct flow_note *notes; /* one beside each */
	bool own_notes;
	uint32_t size;
	uint32_t used;
	uint32_t free_head;	 /* 1 + the first used and free place, or 0 */
	uint32_t fresh;		 /* first place that was never used */
	struct flow_slot *slots; /* the index, open addressing */
	bool own_slots;
	uint32_t n_slots;
	uint64_t opened; /* flows opened so far */
	uint8_t secret[FLOW_SECRET_BYTES];
};

/*
 * @flows: @size flows, 64-byte aligned, zeroed; owned by the caller and used
 * until flow_table_free(). -ENOMEM if there is no room for the index
 * or the notes.
 * @secret: random bytes, so that nobody can choose clients that collide.
 * @slots: zeroed memory for @size * FLOW_SLOTS of the index, owned by the
 * caller; NULL: allocated here. Access is random, so use huge pages if
 * possible.
 * @notes: zeroed memory for @size notes, owned by the caller; NULL: allocated
 * here.
 */
int flow_table_init(struct flow_table *t, struct flow *flows, uint32_t size,
		    const uint8_t secret[FLOW_SECRET_BYTES],
		    struct flow_slot *slots, struct flow_note *notes);

/*
 * Takes over the flows that @flows already held when flow_table_init() was
 * called. It keeps a flow if its identity is whole, its keys are unique, and
 * @keep accepts it (@keep may correct the indices), and clears the others.
 * Returns how many were kept.
 */
typedef bool flow_keep_fn(void *arg, struct flow *flow);
uint32_t flow_table_adopt(struct flow_table *t, flow_keep_fn *keep, void *arg,
			  uint32_t *refused);
void flow_table_free(struct flow_table *t);

/* Hash of a key, for the calls below. */
uint32_t flow_hash(const struct flow_table *t, const struct flow_key *key);

/* Two steps of prefetching, for a batch of packets: index, then the flow. */
void flow_prefetch_slot(const struct flow_table *t, uint32_t hash);
void flow_prefetch(const struct flow_table *t, uint32_t hash);

/* The flow of a packet with this key; NULL if none. *side: the sender. */
struct flow *flow_find(const struct flow_table *t, const struct flow_key *key,
		       uint32_t hash, enum flow_side *side);

/*
 * Opens a flow; NULL if the table is full. Both keys must be unused: the caller
 * has looked for the client's, and the NAT port came from the pool.
 */
struct flow *flow_open(struct flow_table *t, const struct flow_identity *id,
		       uint64_t now_ns);
void flow_close(struct flow_table *t, struct flow *flow);

/* Changes backend, NAT address and port of a flow without an answer so far. */
void flow_rebind(struct flow_table *t, struct flow *flow,
		 const struct flow_identity *id);

static inline uint32_t flow_index(const struct flow_table *t,
				  const struct flow *flow)
{
	return (uint32_t)(flow - t->flows);
}

/* The note of an open flow; it begins as zeros. */
static inline struct flow_note *flow_note(const struct flow_table *t,
					  const struct flow *flow)
{
	return &t->notes[flow_index(t, flow)];
}

/* Walks all flows: the first one at index >= @from, or NULL. */
struct flow *flow_next(const struct flow_table *t, uint32_t from);

static inline struct endpoint flow_client(const struct flow *f)
{
	return f->pair[FLOW_ORIG].src;
}

static inline struct endpoint flow_vip(const struct flow *f)
{
	return f->pair[FLOW_ORIG].dst;
}

static inline struct endpoint flow_nat(const struct flow *f)
{
	return f->pair[FLOW_REPLY].dst;
}

static inline struct endpoint flow_backend(const struct flow *f)
{
	return f->pair[FLOW_REPLY].src;
}

#endif
