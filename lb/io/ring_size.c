/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/ring_size.h"

unsigned ring_slots(uint64_t memory_bytes, size_t slot_bytes,
		    size_t other_bytes)
{
	const unsigned most = slot_bytes <= RING_SMALL_BYTES ? RING_SLOTS_SMALL
							     : RING_SLOTS_LARGE;
	const uint64_t share = memory_bytes / RING_MEMORY_SHARE;
	uint64_t slots = 0;

	if (memory_bytes == 0)
		return most;
	if (share > other_bytes)
		slots = (share - other_bytes) / slot_bytes;
	if (slots > most)
		return most;
	return slots < RING_SLOTS_MIN ? RING_SLOTS_MIN : (unsigned)slots;
}

uint64_t ring_machine_memory(void)
{
	static const char first[] = "MemTotal:";
	FILE *f = fopen("/proc/meminfo", "re");
	uint64_t kib = 0;
	char line[128];

	if (!f)
		return 0;
	if (fgets(line, sizeof(line), f) &&
	    strncmp(line, first, sizeof(first) - 1) == 0)
		kib = strtoull(line + sizeof(first) - 1, NULL, 10);
	(void)fclose(f);
	return kib * 1024;
}
