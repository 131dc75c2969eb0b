/* SPDX-License-Identifier: MIT */
#include "api/change.h"
#include "api/config_ask.h"
#include "control/running.h"

#define TRIES 4 /* until nothing changes between two questions */

/* One question; false: @reply says why. */
static bool ask_one(struct api *api, const char *question, struct config *out,
		    uint64_t *generation, struct reply *reply)
{
	const char *name = board_reader_head(api->board)->name;
	struct answer answer;
	struct err err;
	bool ok = ask_locked(api->asks, NULL, question, ASK_REPLY_MS, &answer);

	if (!ok) {
		reply_refused(reply, &answer);
	} else if (running_parse(text_get(&answer.lines), name, out, &err)) {
		reply_error(reply, 502, "unclear", "%s: %s", question,
			    err.text);
		ok = false;
	}
	*generation = answer.generation;
	answer_free(&answer);
	return ok;
}

/* 1: both are there. 0: something changed between them. */
static int ask_both(struct api *api, struct configs *out, struct reply *reply)
{
	uint64_t first, second;

	if (!ask_one(api, "show", &out->running, &first, reply))
		return -1;
	if (!ask_one(api, "show base", &out->base, &second, reply)) {
		config_free(&out->running);
		return -1;
	}
	reply->generation = first;
	if (first == second)
		return 1;
	config_free(&out->running);
	config_free(&out->base);
	return 0;
}

bool configs_ask(struct api *api, struct configs *out, struct reply *reply)
{
	struct answer answer;
	struct err err;
	int got = 0;

	if (!ask_lock(api->asks, &answer)) {
		reply_refused(reply, &answer);
		answer_free(&answer);
		return false;
	}
	for (unsigned i = 0; i < TRIES && !got; i++)
		got = ask_both(api, out, reply);
	ask_unlock(api->asks);
	if (!got)
		reply_error(reply, 503, "busy",
			    "the configuration changes all the time; try "
			    "again");
	if (got != 1)
		return false;
	if (config_init(&out->initial, &err) == 0)
		return true;
	config_free(&out->running);
	config_free(&out->base);
	reply_error(reply, 503, "no-memory", "%s", err.text);
	return false;
}

void configs_free(struct configs *c)
{
	config_free(&c->running);
	config_free(&c->base);
	config_free(&c->initial);
}
