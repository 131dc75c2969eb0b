/* SPDX-License-Identifier: MIT */
/*
 * random.h - repeatable random numbers from a seed (splitmix64)
 *
 * The caller gives the seed: from the kernel's random numbers in the program,
 * the printed one in a simulation. Not for keys.
 */
#ifndef L4LB_RANDOM_H
#define L4LB_RANDOM_H

#include <stdint.h>

struct random {
	uint64_t state;
};

static inline uint64_t random_next(struct random *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* 0 <= result < n; the bias is below n / 2^32. */
static inline uint32_t random_below(struct random *r, uint32_t n)
{
	return (uint32_t)((random_next(r) >> 32) * n >> 32);
}

#endif
