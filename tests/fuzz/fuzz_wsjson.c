/* SPDX-License-Identifier: MIT */
/*
 * fuzz_wsjson.c - JSON messages of a client, and records of the bus
 *
 * What is accepted is within its limits and makes a message that survives the
 * bus; what is refused has a code and a sentence. The same text as a record
 * must be taken as it is or refused.
 */
#include <stdint.h>

#include "core/mid.h"
#include "core/wsjson.h"
#include "fuzz_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge_refusal(const struct wsjson *j)
{
	struct writer w;

	assert(j->code && j->message[0]);
	writer_init(&w, WSJSON_MAX);
	wsjson_put_error(&w, j->code, slice_of(j->message), j->ref);
	assert(!w.failed);
	writer_free(&w);
}

static void judge_said(const struct wsjson *j)
{
	char stored[MID_STORED_MAX];
	const size_t len = mid_store(SLICE("0a1b2c"), j->mid, stored);
	const struct msg_fields f = {.mid = {stored, len},
				     .room = j->room.len ? j->room
							 : SLICE("@x#12345678"),
				     .sender = SLICE("lan"),
				     .to = j->to,
				     .text = j->text,
				     .instance = SLICE("pi1"),
				     .metadata = j->metadata,
				     .via = MSG_WS,
				     .type = j->msg_type};

	judge_same(mid_own(f.mid), j->mid);
	judge_record(&f);
}

static void judge_parsed_record(struct slice text)
{
	char why[MSG_WHY_MAX];
	struct msg *m, *again;

	if (msg_parse(&m, text, MSGID_NONE, MSGID_NONE, why) != 0) {
		assert(why[0]);
		return;
	}
	assert(msg_record(m).len > 0);
	assert(msg_parse(&again, msg_record(m), MSGID_NONE, MSGID_NONE, why) ==
	       0);
	judge_same(msg_record(m), msg_record(again));
	judge_same(msg_line(m), msg_line(again));
	msg_unref(again);
	msg_unref(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct slice text = {(const char *)data, size};
	struct wsjson j;

	if (!wsjson_parse(&j, text))
		judge_refusal(&j);
	else if (j.type == WSJSON_MSG || j.type == WSJSON_DM)
		judge_said(&j);
	assert(j.room_count <= WSJSON_ROOMS_MAX);
	assert(j.text.len <= MSG_TEXT_MAX);
	wsjson_free(&j);
	judge_parsed_record(text);
	return 0;
}
