/* SPDX-License-Identifier: MIT */
/*
 * ports.h - the NAT ports of one of our addresses toward one backend
 *
 * First in, first out, so a port rests as long as possible before its
 * address pair is used again (TIME_WAIT at the backend); shuffled at the start
 * (RFC 6056). Taking and giving back are O(1) and never search.
 */
#ifndef L4LB_PORTS_H
#define L4LB_PORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/random.h"

struct port_pool {
	uint16_t *ring; /* host byte order; memory of the caller */
	uint32_t size;	/* ports in all */
	uint32_t head;	/* the port to take next */
	uint32_t free;
};

/* @ring: memory for @count ports, copied from @ports and shuffled. */
void ports_init(struct port_pool *pool, uint16_t *ring, const uint16_t *ports,
		uint32_t count, struct random *random);

/*
 * Takes the ports for which @used says so out of a pool from which nothing was
 * taken yet: flows of an earlier process have them.
 */
void ports_take_used(struct port_pool *pool,
		     bool (*used)(void *arg, uint16_t port), void *arg);

/* The port that has rested longest, or 0 if none is free. */
uint16_t ports_take(struct port_pool *pool);

/* @port must have come from this pool. */
void ports_give(struct port_pool *pool, uint16_t port);

#endif
