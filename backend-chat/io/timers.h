/* SPDX-License-Identifier: MIT */
/*
 * Deadlines in order of time: a binary heap. The owner embeds struct timer in
 * what the deadline is for. One worker owns all; not locked.
 */
#ifndef CHAT_TIMERS_H
#define CHAT_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

struct timer {
	int64_t due_ms;
	unsigned place; /* in the heap, from 1; 0: not set */
};

struct timers {
	struct timer **heap; /* [1..count] */
	unsigned count, capacity;
};

/* Makes room for so many, so that timers_set() cannot fail. False: no memory.
 */
bool timers_reserve(struct timers *all, unsigned count);

/* Sets or moves the timer. */
void timers_set(struct timers *all, struct timer *t, int64_t due_ms);
/* Removes the timer if it is set. */
void timers_drop(struct timers *all, struct timer *t);

/* Removes and returns the earliest that is due, else NULL. */
struct timer *timers_due(struct timers *all, int64_t now_ms);

/* For epoll_wait(): milliseconds to the earliest, -1 without any. */
int timers_wait_ms(const struct timers *all, int64_t now_ms);

void timers_free(struct timers *all);

#endif
