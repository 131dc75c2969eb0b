/* SPDX-License-Identifier: MIT */
/* What every message must keep, whoever said it. */
#ifndef FUZZ_RECORD_H
#define FUZZ_RECORD_H

#include <assert.h>
#include <string.h>

#include "core/json.h"
#include "core/msg.h"
#include "core/utf8.h"

static inline void judge_same(struct slice a, struct slice b)
{
	assert(slice_equal(a, b));
}

/*
 * Its forms are there; its JSON is JSON and has no control characters; each
 * line of it begins with its sender unless a line client said it; read back
 * from its record it is the same.
 */
static inline void judge_record(const struct msg_fields *fields)
{
	char why[JSON_WHY_MAX];
	struct msg *m, *again;
	json_t *json;

	assert(msg_new(&m, fields) == 0);
	assert(utf8_is_valid(m->text));
	json = json_read(msg_json(m), why);
	assert(json);
	judge_same(json_text(json, "text", NULL), m->text);
	json_decref(json);
	for (size_t i = 0; i < msg_json(m).len; i++)
		assert((unsigned char)msg_json(m).at[i] >= 0x20);
	for (struct slice left = msg_line(m); left.len > 0;) {
		const char *end = memchr(left.at, '\n', left.len);

		assert(end);
		if (!fields->raw.at) {
			assert(left.at[0] == '[');
			assert(!memcmp(left.at + 1, m->sender.at,
				       m->sender.len));
		}
		left = slice_from(left, (size_t)(end - left.at) + 1);
	}
	assert(msg_parse(&again, msg_record(m), MSGID_NONE, MSGID_NONE, why) ==
	       0);
	judge_same(msg_line(m), msg_line(again));
	judge_same(msg_record(m), msg_record(again));
	judge_same(msg_frame(m), msg_frame(again));
	msg_unref(again);
	msg_unref(m);
}

#endif
