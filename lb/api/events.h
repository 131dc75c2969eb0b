/* SPDX-License-Identifier: MIT */
/* events.h - records of the journal as JSON; pure but for the two readers */
#ifndef L4LB_API_EVENTS_H
#define L4LB_API_EVENTS_H

#include <stdint.h>

#include "api/json.h"
#include "board/board.h"
#include "board/journal.h"
#include "control/text.h"
#include "core/err.h"

#define EVENTS_LIMIT_DEFAULT 100
#define EVENTS_LIMIT_MAX     1000

#define EVENTS_FLOW	1u
#define EVENTS_BACKEND	2u
#define EVENTS_OPERATOR 4u

struct events_wanted {
	uint64_t since; /* the first number; 0: the last .limit of them */
	uint64_t limit;
	unsigned kinds; /* EVENTS_* */
};

/* Reads the parameters of a query; NULL: not given. -EINVAL with @err. */
int events_want(const char *since, const char *kind, const char *limit,
		struct events_wanted *out, struct err *err);

/*
 * {"events":[...],"next":N,"lost":N}: ask for those from N on the next time;
 * so many records were gone already of those asked for now.
 */
void events_print(struct text *out, const struct board_reader *board,
		  const struct journal_reader *journal,
		  const struct events_wanted *wanted);

/* One record, as an element of an array. */
void event_put(struct json_writer *w, const struct board_reader *board,
	       const struct journal_record *r, int64_t wall_offset_ns);

#endif
