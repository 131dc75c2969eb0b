/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <string.h>

#include "core/ports.h"

void ports_init(struct port_pool *pool, uint16_t *ring, const uint16_t *ports,
		uint32_t count, struct random *random)
{
	memcpy(ring, ports, count * sizeof(*ring));
	/* Fisher-Yates */
	for (uint32_t i = count; i > 1; i--) {
		uint32_t j = random_below(random, i);
		uint16_t swap = ring[i - 1];

		ring[i - 1] = ring[j];
		ring[j] = swap;
	}
	*pool = (struct port_pool){.ring = ring, .size = count, .free = count};
}

void ports_take_used(struct port_pool *pool,
		     bool (*used)(void *arg, uint16_t port), void *arg)
{
	uint32_t left = 0;

	assert(pool->head == 0);
	assert(pool->free == pool->size);
	for (uint32_t i = 0; i < pool->size; i++)
		if (!used(arg, pool->ring[i]))
			pool->ring[left++] = pool->ring[i];
	pool->free = left;
}

uint16_t ports_take(struct port_pool *pool)
{
	uint16_t port;

	if (pool->free == 0)
		return 0;
	port = pool->ring[pool->head];
	if (++pool->head == pool->size)
		pool->head = 0;
	pool->free--;
	return port;
}

void ports_give(struct port_pool *pool, uint16_t port)
{
	uint32_t tail = pool->head + pool->free;

	assert(pool->free < pool->size);
	if (tail >= pool->size)
		tail -= pool->size;
	pool->ring[tail] = port;
	pool->free++;
}
