/* SPDX-License-Identifier: MIT */
/*
 * Token buckets (section 10 of the design) and the patience with those who go
 * on above them. Pure; zeroed state is a full bucket. Times in ms of any clock
 * that never goes back, above 0; in another unit where rate_floods() is not
 * asked.
 */
#ifndef CHAT_RATE_H
#define CHAT_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct rate_limit {
	unsigned burst;	      /* tokens of a full bucket, at least 1 */
	unsigned interval_ms; /* until one more token */
};

#define RATE_MESSAGES ((struct rate_limit){30, 100})  /* 10/s */
#define RATE_COMMANDS ((struct rate_limit){10, 200})  /* 5/s */
#define RATE_JOINS    ((struct rate_limit){10, 6000}) /* 10/min */
/* Webhooks, so many a second; in microseconds. */
#define RATE_WEBHOOKS(n) ((struct rate_limit){2 * (n), 1000000 / (n)})
/* A JSON client that is refused for so long is closed with 4002. */
#define RATE_FLOOD_MS 5000
/* ... if between refusals there was no such pause. */
#define RATE_CALM_MS 1000

struct rate {
	int64_t full_ms; /* when the bucket is or was full again */
	int64_t refused_ms, refused_first_ms;
};

/* Takes a token: returns 0, or takes none and returns the ms until there is
 * one.
 */
int64_t rate_take(struct rate *r, struct rate_limit limit, int64_t now_ms);

/*
 * Takes a token even if there is none, as one takes what was said already:
 * returns the ms until there is one again, or 0.
 */
int64_t rate_owe(struct rate *r, struct rate_limit limit, int64_t now_ms);

/* After a refusal: true if it was refused for RATE_FLOOD_MS without a pause. */
bool rate_floods(const struct rate *r);

#endif
