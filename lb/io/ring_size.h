/* SPDX-License-Identifier: MIT */
/*
 * ring_size.h - how many frames the captures' rings hold
 *
 * A ring bridges the moments in which this process does not run. A slot holds
 * one frame whatever its size, so slots for super-packets are dear: more than
 * RING_SLOTS_LARGE of them gain little (docs/bench/notes.md), of small ones
 * there can be more. A small machine gives a 24th of its memory, for all
 * interfaces together: on one of 1 GB all of the program, 65536 flows included,
 * stays below 64 MiB.
 */
#ifndef L4LB_RING_SIZE_H
#define L4LB_RING_SIZE_H

#include <stddef.h>
#include <stdint.h>

#define RING_SLOTS_LARGE 1024
#define RING_SLOTS_SMALL 4096
#define RING_SMALL_BYTES 4096 /* a slot of so much is a small one */
#define RING_SLOTS_MIN	 64

/* Of the machine's memory, one part of so many. */
#define RING_MEMORY_SHARE 24

/*
 * Slots of @slot_bytes each, on a machine of so much memory, of which
 * @other_bytes go to the other ring. Memory 0: not known, taken to be plenty.
 */
unsigned ring_slots(uint64_t memory_bytes, size_t slot_bytes,
		    size_t other_bytes);

/* What /proc/meminfo says in its first line, in bytes; 0: nothing. */
uint64_t ring_machine_memory(void);

#endif
