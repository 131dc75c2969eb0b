/* SPDX-License-Identifier: MIT */
/*
 * ring_size.h - the number of slots in the captures' rings
 *
 * A ring holds the frames that come while this process does not run. A slot
 * holds one frame of any size, so slots for super-packets are expensive. More
 * than RING_SLOTS_LARGE of them gain little (docs/bench/notes.md); small slots
 * can be more. A ring takes at most a 24th of the machine's memory, for all
 * interfaces together. On a machine of 1 GB the whole program, with 65536
 * flows, stays below 64 MiB.
 */
#ifndef L4LB_RING_SIZE_H
#define L4LB_RING_SIZE_H

#include <stddef.h>
#include <stdint.h>

#define RING_SLOTS_LARGE 1024
#define RING_SLOTS_SMALL 4096
#define RING_SMALL_BYTES 4096 /* slots up to this size are small */
#define RING_SLOTS_MIN	 64

/* The rings take at most 1/24 of the machine's memory. */
#define RING_MEMORY_SHARE 24

/*
 * The number of slots, of @slot_bytes each, for a machine of @memory_bytes, of
 * which @other_bytes go to the other ring. 0: unknown, assumed to be plenty.
 */
unsigned ring_slots(uint64_t memory_bytes, size_t slot_bytes,
		    size_t other_bytes);

/* Memory in bytes by the first line of /proc/meminfo; 0: unknown. */
uint64_t ring_machine_memory(void);

#endif
