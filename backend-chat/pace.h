/* SPDX-License-Identifier: MIT */
/*
 * How much one may say while somebody is behind. Pure: no clock, no lock.
 *
 * Half of every client's queue is kept for those who do not flood: so much is
 * shared out each second among all who speak. Who stays within a share waits
 * for nobody, and all shares together cannot fill a queue that was half empty
 * in less than a second. Who says more waits for a reader that is behind; so
 * a script of megabytes goes as fast as the slowest that does read.
 */
#ifndef CHAT_PACE_H
#define CHAT_PACE_H

#include <stddef.h>
#include <stdint.h>

/* What all speakers share. */
struct pace_room {
	int64_t budget;	  /* bytes a second, for all of them */
	int64_t second;	  /* the one that .speakers counts */
	int64_t speakers; /* different ones, this second and the last */
	int64_t speakers_before;
};

/* One speaker's; all zero for a new one, which has a full share. */
struct pace {
	int64_t level;	/* bytes it may say; below 0: said in advance */
	int64_t at_us;	/* when that was so */
	int64_t second; /* when it spoke last */
};

/* 0, or microseconds until there is something left of its share. */
int64_t pace_wait_us(const struct pace_room *r, struct pace *p, int64_t now_us);

/* It says len bytes, whether it had waited or not. */
void pace_spend(struct pace_room *r, struct pace *p, size_t len,
		int64_t now_us);

#endif
