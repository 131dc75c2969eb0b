/* SPDX-License-Identifier: MIT */
/*
 * ports.h - the NAT ports of one of our addresses toward one backend
 *
 * First in, first out, so that a port is reused as late as possible (the
 * backend may hold its address pair in TIME_WAIT); shuffled at the start (RFC
 * 6056). Taking and giving back are O(1) and never search.
 */
#ifndef L4LB_PORTS_H
#define L4LB_PORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/random.h"

struct port_pool {
	uint16_t *ring; /* host byte order; owned by the caller */
	uint32_t size;	/* ports in all */
	uint32_t head;	/* the port to take next */
	uint32_t free;
};

/* @ring: memory for @count ports, copied from @ports and shuffled. */
void ports_init(struct port_pool *pool, uint16_t *ring, const uint16_t *ports,
		uint32_t count, struct random *random);

/*
 * Removes the ports for which @used is true, as flows of an earlier process
 * have them. No port may have been taken before.
 */
void ports_take_used(struct port_pool *pool,
		     bool (*used)(void *arg, uint16_t port), void *arg);

/* The port that has been free longest, or 0 if none is free. */
uint16_t ports_take(struct port_pool *pool);

/* @port must have come from this pool. */
void ports_give(struct port_pool *pool, uint16_t port);

#endif
