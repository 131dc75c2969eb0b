/* SPDX-License-Identifier: MIT */
/*
 * fuzz_linecmd.c - lines of a client as commands and as messages
 *
 * A line is text, of which no byte is lost, or a command with valid names; the
 * answers are whole lines of the server. As a message the line keeps its bytes
 * over the bus, whatever they are.
 */
#include <stdint.h>

#include "core/linecmd.h"
#include "core/name.h"
#include "frame.h"
#include "fuzz_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge_answer(const struct linecmd_line *line)
{
	struct slice left;
	struct writer w;

	writer_init(&w, LINECMD_ANSWER_MAX);
	if (line->what == LINECMD_REFUSED)
		linecmd_put_refusal(&w, line);
	if (line->what == LINECMD_TOPIC)
		linecmd_put_topic(&w, SLICE("ops"), line->text);
	if (line->what == LINECMD_MSG)
		linecmd_put_absent(&w, line->name, true);
	if (line->what == LINECMD_NICK) {
		char other[NAME_MAX_BYTES];

		name_propose(line->name, 2, other);
		assert(name_is_valid(slice_of(other)));
		linecmd_put_nick(&w, line->name, slice_of(other));
	}
	assert(!w.failed);
	for (left = writer_slice(&w); left.len > 0;) {
		const char *end = memchr(left.at, '\n', left.len);

		assert(end && left.len > sizeof(CHAT_SERVER_NICK));
		assert(!memcmp(left.at, CHAT_SERVER_NICK,
			       sizeof(CHAT_SERVER_NICK) - 1));
		left = slice_from(left, (size_t)(end - left.at) + 1);
	}
	writer_free(&w);
}

static void judge_message(struct slice line, const struct linecmd_line *parsed)
{
	const struct msg_fields f = {
		.mid = SLICE("0a1b2c.abcdefghijklmnop"),
		.room = SLICE("ops"),
		.sender = parsed->nick.len ? parsed->nick : SLICE("guest-1a2b"),
		.text = parsed->text,
		.raw = line,
		.instance = SLICE("pi1"),
		.via = MSG_LINE};

	judge_record(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice line = {(const char *)data, size};
	struct linecmd_line out;

	if (size > CHAT_LINE_MAX || (size && memchr(data, '\n', size)))
		return 0;
	linecmd_parse(line, &out);
	assert(out.nick.len == 0 || name_is_valid(out.nick));
	if (out.what == LINECMD_NONE)
		assert(out.prefix.len + out.text.len + out.slash_taken == size);
	if (out.what == LINECMD_JOIN)
		assert(name_is_room(out.name));
	if (out.what == LINECMD_HISTORY)
		assert(out.count > 0 && out.count <= LINECMD_HISTORY_MAX);
	judge_answer(&out);
	if (out.what == LINECMD_NONE)
		judge_message(line, &out);
	return 0;
}
