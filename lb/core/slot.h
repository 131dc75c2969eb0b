/* SPDX-License-Identifier: MIT */
/*
 * slot.h - the life of a numbered place for a service or a backend
 *
 * Places have fixed numbers, the same in the configuration and in the engine;
 * nothing moves when another place is filled or emptied. Tables therefore have
 * holes: whoever walks one skips what is SLOT_FREE.
 */
#ifndef L4LB_SLOT_H
#define L4LB_SLOT_H

enum slot {
	SLOT_FREE,     /* empty */
	SLOT_PREPARED, /* filled, but no packet knows of it yet */
	SLOT_LIVE,
	SLOT_LEAVING, /* removed; keeps the flows that it still has */
};

#endif
