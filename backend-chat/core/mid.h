/* SPDX-License-Identifier: MIT */
/*
 * mid: the name that a client gives to its message and keeps over retries, so
 * that it is shown once. It is stored as "HHHHHH.MID" with 6 hex digits of the
 * hash of the sender's token, so nobody can spoil another's.
 */
#ifndef CHAT_MID_H
#define CHAT_MID_H

#include "core/slice.h"

#include <stdint.h>

#define MID_MIN	       16
#define MID_MAX	       64
#define MID_PREFIX     6
#define MID_STORED_MAX (MID_PREFIX + 1 + MID_MAX + 1) /* with the NUL */
#define MID_MADE       22			      /* 128 bits */

/* MID_MIN to MID_MAX of [A-Za-z0-9_-]. */
bool mid_is_valid(struct slice mid);

/* A mid for a message that came without one. out: MID_MADE characters, NUL. */
void mid_make(const uint8_t random[16], char out[MID_MADE + 1]);

/*
 * token_hash: hex digits, at least MID_PREFIX (name.h); of a sender without a
 * token ("webhook") any text of that length that names it. mid is valid.
 * Returns the length without the NUL.
 */
size_t mid_store(struct slice token_hash, struct slice mid,
		 char out[MID_STORED_MAX]);

/* The client's own mid in a stored one, for its ack. Empty if it is none. */
struct slice mid_own(struct slice stored);

/* 64 bits of it for the tables of merge.h. key: random, one a process. */
uint64_t mid_hash(struct slice stored, uint64_t key);

#endif
