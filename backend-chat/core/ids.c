/* SPDX-License-Identifier: MIT */
/* See ids.h. */
#include "core/ids.h"

#include <inttypes.h>
#include <stdio.h>

/* Takes a number off the start of *text. */
static bool take_number(struct slice *text, uint64_t *out)
{
	uint64_t number = 0;
	size_t i;

	for (i = 0; i < text->len; i++) {
		unsigned digit = (unsigned)(text->at[i] - '0');

		if (digit > 9)
			break;
		if (number > (UINT64_MAX - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	*text = slice_from(*text, i);
	*out = number;
	return i > 0;
}

bool msgid_parse(struct slice text, struct msgid *out)
{
	struct msgid id;

	if (!take_number(&text, &id.epoch) || text.len == 0 ||
	    text.at[0] != '-')
		return false;
	text = slice_from(text, 1);
	if (!take_number(&text, &id.seq) || text.len > 0)
		return false;
	*out = id;
	return true;
}

size_t msgid_format(struct msgid id, char out[MSGID_TEXT_MAX])
{
	return (size_t)snprintf(out, MSGID_TEXT_MAX, "%" PRIu64 "-%" PRIu64,
				id.epoch, id.seq);
}

int msgid_compare(struct msgid a, struct msgid b)
{
	if (a.epoch != b.epoch)
		return a.epoch < b.epoch ? -1 : 1;
	return (a.seq > b.seq) - (a.seq < b.seq);
}

struct msgid msgid_next(struct msgid last, struct msgid floor, uint64_t now_ms)
{
	uint64_t above = last.epoch > floor.epoch ? last.epoch : floor.epoch;

	if (!msgid_is_none(last) && msgid_compare(floor, last) <= 0)
		return (struct msgid){last.epoch, last.seq + 1};
	return (struct msgid){now_ms > above ? now_ms : above + 1, 1};
}

enum msgid_step msgid_step(struct msgid last, struct msgid id,
			   struct msgid prev)
{
	if (msgid_compare(id, last) <= 0)
		return MSGID_OLD;
	if (id.epoch == last.epoch)
		return id.seq == last.seq + 1 ? MSGID_NEXT : MSGID_JUMP;
	if (id.seq != 1)
		return MSGID_JUMP;
	/* The first log of all follows nothing. */
	if (msgid_is_none(last))
		return MSGID_NEXT;
	return !msgid_is_none(prev) && msgid_compare(prev, last) <= 0
		       ? MSGID_NEXT
		       : MSGID_JUMP;
}
