/* SPDX-License-Identifier: MIT */
/*
 * fuzz_hook.c - bodies of the five webhooks
 *
 * The first byte says which. What is accepted makes a message that survives
 * the bus; what is refused says why, and which field it was.
 */
#include <stdint.h>

#include "core/hook.h"
#include "core/mid.h"
#include "fuzz_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum msg_type types[] = {
		MSG_TEXT, MSG_IMAGE, MSG_FILE, MSG_LOCATION, MSG_AUDIO,
	};
	struct hook h;
	enum hook_error error;

	if (size == 0)
		return 0;
	error = hook_parse(&h, types[data[0] % 5],
			   (struct slice){(const char *)data + 1, size - 1});
	if (error == HOOK_OK) {
		const struct msg_fields f = {.id = {5, 7},
					     .mid = SLICE("webhoo.x"),
					     .room = h.room,
					     .sender = h.sender,
					     .text = h.text,
					     .instance = SLICE("pi1"),
					     .metadata = h.metadata,
					     .via = MSG_WEBHOOK,
					     .type = h.type};

		assert(h.id.len == 0 || mid_is_valid(h.id));
		judge_record(&f);
	} else {
		assert(h.why[0] && hook_error_code(error)[0]);
		assert(error == HOOK_BAD_JSON || h.field);
	}
	hook_free(&h);
	return 0;
}
