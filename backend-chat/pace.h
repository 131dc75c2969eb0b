/* SPDX-License-Identifier: MIT */
/*
 * How much a client may say while another is behind. Pure: no clock, no lock.
 *
 * Half of every client's queue is reserved for speakers that do not flood. Each
 * second that many bytes are divided among all speakers. A speaker within its
 * share waits for nobody: all shares together take at least a second to fill a
 * queue that was half empty. A speaker above its share waits for readers that
 * are behind. So a script of megabytes is sent at the speed of the slowest
 * client that still reads.
 */
#ifndef CHAT_PACE_H
#define CHAT_PACE_H

#include <stddef.h>
#include <stdint.h>

/* Shared by all speakers. */
struct pace_room {
	int64_t budget;	  /* bytes a second for all speakers */
	int64_t second;	  /* the second that .speakers counts */
	int64_t speakers; /* number in this second and the last */
	int64_t speakers_before;
};

/* State of one speaker. Zeroed for a new one, which has a full share. */
struct pace {
	int64_t level;	/* bytes left to say; negative: a debt */
	int64_t at_us;	/* time of that level */
	int64_t second; /* the second in which it last spoke */
};

/* Returns 0, or the microseconds until a part of its share is available. */
int64_t pace_wait_us(const struct pace_room *r, struct pace *p, int64_t now_us);

/* Records that it says len bytes, whether it waited or not. */
void pace_spend(struct pace_room *r, struct pace *p, size_t len,
		int64_t now_us);

#endif
