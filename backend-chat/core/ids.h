/* SPDX-License-Identifier: MIT */
/*
 * The id of a message: EPOCH-SEQ, which is a legal id of a Redis stream. EPOCH
 * is the time in ms when the log began, SEQ counts its messages from 1 without
 * a hole, so a missing one is seen at once. 0-0 is "none": before all others.
 */
#ifndef CHAT_IDS_H
#define CHAT_IDS_H

#include "core/slice.h"

#include <stdint.h>

struct msgid {
	uint64_t epoch, seq;
};

#define MSGID_NONE     ((struct msgid){0, 0})
#define MSGID_TEXT_MAX 42 /* two numbers of 20 digits, "-", NUL */

/* Decimal digits, "-", decimal digits; both fit 64 bits. False for all else. */
bool msgid_parse(struct slice text, struct msgid *out);
/* Writes "EPOCH-SEQ" with a NUL; returns its length. */
size_t msgid_format(struct msgid id, char out[MSGID_TEXT_MAX]);

/* Below, equal to or above 0, as for strcmp(). */
int msgid_compare(struct msgid a, struct msgid b);

static inline bool msgid_is_none(struct msgid id)
{
	return id.epoch == 0 && id.seq == 0;
}

/* What the next message of a log is called (section 6.2 of the design):
 * the log's last id and the poster's floor (the last id that it knows of) give
 * the next one. If the log has lost what the poster knows, a new epoch begins
 * above both. now_ms: the time, for the epoch.
 */
struct msgid msgid_next(struct msgid last, struct msgid floor, uint64_t now_ms);

/*
 * All that is before id and no more: where a log begins whose first entry that
 * is known is id.
 */
static inline struct msgid msgid_before(struct msgid id)
{
	return (struct msgid){id.epoch, id.seq ? id.seq - 1 : 0};
}

/* How an entry stands to the last one that a reader has. */
enum msgid_step {
	MSGID_OLD,  /* not above it */
	MSGID_NEXT, /* follows it, nothing is missing in between */
	MSGID_JUMP, /* something is or may be missing in between */
};

/*
 * prev: the entry before id in its log as its poster knew it, MSGID_NONE if
 * unknown. It matters only where an epoch begins: without it a new epoch is a
 * jump, because the end of the old one is unknown.
 */
enum msgid_step msgid_step(struct msgid last, struct msgid id,
			   struct msgid prev);

#endif
