/* SPDX-License-Identifier: MIT */
/* memory.h - what the schedulers remember of a service; theirs alone */
#ifndef L4LB_SCHED_MEMORY_H
#define L4LB_SCHED_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/random.h"

#define SCHED_KEY_BYTES 16 /* as SERVICE_HASH_KEY */

struct sched_memory {
	unsigned next;	     /* whose turn it is: one after the last choice */
	struct random draws; /* of p2c; moves with each flow */
	uint8_t own_key[SCHED_KEY_BYTES]; /* the default of hash */
	uint8_t key[SCHED_KEY_BYTES];	  /* of hash and maglev, in use */
	uint16_t *table;  /* of maglev: indices of backends; owned */
	bool filled;	  /* the table may be used, be it stale */
	uint64_t members; /* sum over those that belong into the table */
	uint64_t built;	  /* over those that it was built for; 0: none */
};

#endif
