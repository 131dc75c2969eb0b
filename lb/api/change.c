/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "api/change.h"
#include "api/json.h"
#include "control/command.h"

void reply_refused(struct reply *reply, const struct answer *answer)
{
	static const struct {
		const char *code;
		unsigned status;
	} codes[] = {
		{"invalid", 400}, {"bad-command", 400}, {"too-long", 400},
		{"denied", 403},  {"not-found", 404},	{"exists", 409},
		{"busy", 409},	  {"no-room", 409},	{"fixed", 409},
		{"refused", 422}, {ASK_SILENT, 503},	{ASK_WAITED, 503},
	};
	unsigned status = 502;

	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		if (strcmp(codes[i].code, answer->code) == 0)
			status = codes[i].status;
	reply_error(reply, status, answer->code, "%s", answer->sentence);
}

void json_put_lines(struct json_writer *w, const char *key, const char *word,
		    const char *lines)
{
	const size_t len = strlen(word);
	char line[COMMAND_MAX + 64];

	json_put_array(w, key);
	while (text_next_line(&lines, line, sizeof(line))) {
		if (!*line)
			continue;
		if (!len)
			json_put_text(w, NULL, line);
		else if (strncmp(line, word, len) == 0 && line[len] == ' ')
			json_put_text(w, NULL, line + len + 1);
	}
	json_put_end(w);
}

void json_put_changes(struct json_writer *w, const char *key, const char *lines)
{
	static const char own[] = "set next_id=";
	char line[COMMAND_MAX + 64];

	json_put_array(w, key);
	while (text_next_line(&lines, line, sizeof(line)))
		if (*line && strncmp(line, own, strlen(own)) != 0)
			json_put_text(w, NULL, line);
	json_put_end(w);
}

static void reply_dry(struct reply *reply, const struct answer *answer)
{
	struct json_writer w = json_writer(&reply->body);

	json_put_object(&w, NULL);
	json_put_number(&w, "generation", reply->generation);
	json_put_flag(&w, "dry_run", true);
	json_put_changes(&w, "changes", text_get(&answer->lines));
	json_put_end(&w);
}

/* After `begin`; the reply to what failed is in @answer. */
static bool say_all(struct channel_end *end, const struct request *request,
		    const char *commands, struct answer *answer)
{
	char line[COMMAND_MAX + 2];

	while (text_next_line(&commands, line, sizeof(line))) {
		if (!*line)
			continue;
		answer_free(answer);
		if (!ask_locked(end, request->who, line, ASK_REPLY_MS, answer))
			return false;
	}
	answer_free(answer);
	return ask_locked(end, request->who,
			  request->dry_run ? "commit dry" : "commit",
			  ASK_COMMIT_MS, answer);
}

static void give_up(struct channel_end *end)
{
	struct answer answer;

	(void)ask_locked(end, NULL, "abort", ASK_REPLY_MS, &answer);
	answer_free(&answer);
}

static bool is_expected(const struct request *request, uint64_t generation,
			struct reply *reply)
{
	reply->generation = generation;
	if (!request->has_if_match || request->if_match == generation)
		return true;
	reply_error(reply, 412, "changed-meanwhile",
		    "the generation is %llu, not %llu: somebody else has "
		    "changed the configuration",
		    (unsigned long long)generation,
		    (unsigned long long)request->if_match);
	return false;
}

static bool transact(struct channel_end *end, const struct request *request,
		     const char *commands, struct answer *answer,
		     struct reply *reply)
{
	if (!ask_locked(end, request->who, "begin", ASK_REPLY_MS, answer)) {
		reply_refused(reply, answer);
		return false;
	}
	if (!is_expected(request, answer->generation, reply)) {
		give_up(end);
		return false;
	}
	if (say_all(end, request, commands, answer))
		return true;
	reply_refused(reply, answer);
	give_up(end);
	return false;
}

bool change_carry_out(struct api *api, const struct request *request,
		      const char *commands, struct reply *reply)
{
	struct channel_end *end = api->changes;
	struct answer answer;
	bool done;

	if (!ask_lock(end, &answer)) {
		reply_refused(reply, &answer);
		return false;
	}
	done = transact(end, request, commands, &answer, reply);
	ask_unlock(end);
	if (done) {
		if (answer.generation)
			reply->generation = answer.generation;
		if (request->dry_run)
			reply_dry(reply, &answer);
		else
			(void)api_wait_generation(api, reply->generation);
	}
	answer_free(&answer);
	return done;
}

/* With the channel locked. */
static bool command_locked(struct channel_end *end,
			   const struct request *request, const char *command,
			   unsigned wait_ms, struct answer *answer,
			   struct reply *reply)
{
	if (request->has_if_match) {
		if (!ask_locked(end, NULL, "generation", ASK_REPLY_MS,
				answer)) {
			reply_refused(reply, answer);
			return false;
		}
		if (!is_expected(request, answer->generation, reply))
			return false;
		answer_free(answer);
	}
	if (ask_locked(end, request->who, command, wait_ms, answer))
		return true;
	reply_refused(reply, answer);
	return false;
}

bool change_command(struct api *api, const struct request *request,
		    const char *command, unsigned wait_ms,
		    struct answer *answer, struct reply *reply)
{
	struct channel_end *end = api->changes;
	bool done;

	if (!ask_lock(end, answer)) {
		reply_refused(reply, answer);
		return false;
	}
	done = command_locked(end, request, command, wait_ms, answer, reply);
	ask_unlock(end);
	return done;
}
