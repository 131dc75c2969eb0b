/* SPDX-License-Identifier: MIT */
/* commands.c - commands as they are, and those for the whole of l4lb */
#include <stdio.h>
#include <string.h>

#include "api/change.h"
#include "api/json.h"
#include "api/router.h"
#include "api/routes.h"
#include "control/command.h"

#define RELOAD_MS 40000 /* names may have to be looked up */
#define SAVE_MS	  20000 /* a slow card */

/* ---------------------------------------------------------- POST /lb/commands
 */

/* The first word of a line. */
static bool begins(const char *line, const char *word)
{
	const size_t len = strlen(word);

	return strncmp(line, word, len) == 0 &&
	       (!line[len] || line[len] == ' ');
}

/* Questions and what is no change of the configuration are asked alone. */
static bool is_change(const char *line)
{
	return command_is_known(line);
}

/* `begin` and its like would end up in the middle of others' transactions. */
static bool is_refused(const char *line)
{
	static const char *const words[] = {"begin", "commit", "abort", "by",
					    "sync"};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (begins(line, words[i]))
			return true;
	return false;
}

static unsigned patience_ms(const char *line)
{
	return begins(line, "reload") ? RELOAD_MS
	       : begins(line, "save") ? SAVE_MS
				      : ASK_COMMIT_MS;
}

static void ask_alone(struct api *api, const struct request *request,
		      const char *line, struct reply *reply)
{
	struct json_writer w = json_writer(&reply->body);
	struct answer answer;

	if (request->dry_run && !begins(line, "show") &&
	    !begins(line, "status") && !begins(line, "generation")) {
		reply_error(reply, 400, "bad-query",
			    "dry_run is for changes of the configuration; "
			    "reload has \"reload dry\"");
		return;
	}
	if (change_command(api, request, line, patience_ms(line), &answer,
			   reply)) {
		if (answer.generation)
			reply->generation = answer.generation;
		(void)api_wait_generation(api, reply->generation);
		json_put_object(&w, NULL);
		json_put_number(&w, "generation", reply->generation);
		if (strchr(answer.sentence, ' '))
			json_put_text(&w, "answer", answer.sentence);
		json_put_lines(&w, "lines", "", text_get(&answer.lines));
		json_put_end(&w);
	}
	answer_free(&answer);
}

struct counted {
	unsigned lines, changes;
	bool refused, long_line;
	char last[COMMAND_MAX + 2];
};

/* Comments and empty lines are left out. */
static struct counted read_lines(const char *body, struct text *commands)
{
	struct counted n = {0};
	char line[COMMAND_MAX + 2];

	while (text_next_line(&body, line, sizeof(line))) {
		char *begin = line + strspn(line, " \t");
		size_t len = strlen(begin);

		n.long_line |= strlen(line) > COMMAND_MAX;
		while (len && strchr(" \t\r", begin[len - 1]))
			begin[--len] = '\0';
		if (!len || *begin == '#')
			continue;
		n.lines++;
		n.changes += is_change(begin);
		n.refused |= is_refused(begin);
		snprintf(n.last, sizeof(n.last), "%s", begin);
		text_add(commands, "%s\n", begin);
	}
	return n;
}

static void carry_out_lines(struct api *api, const struct request *request,
			    const char *commands, struct reply *reply)
{
	struct json_writer w = json_writer(&reply->body);

	if (!change_carry_out(api, request, commands, reply) ||
	    request->dry_run)
		return;
	json_put_object(&w, NULL);
	json_put_number(&w, "generation", reply->generation);
	json_put_array(&w, "lines");
	json_put_end(&w);
	json_put_end(&w);
}

static void commands(struct api *api, const struct request *request,
		     struct reply *reply)
{
	struct text lines = {0};
	const struct counted n = read_lines(request->body, &lines);

	if (lines.failed)
		reply_error(reply, 503, "no-memory", "out of memory");
	else if (memchr(request->body, '\0', request->body_len))
		reply_error(reply, 400, "bad-command",
			    "the body has a zero byte");
	else if (n.long_line)
		reply_error(reply, 400, "too-long",
			    "a command has at most %d bytes", COMMAND_MAX);
	else if (!n.lines)
		reply_error(reply, 400, "bad-command",
			    "the body has no command; for example: backend "
			    "set chat backend1 weight=2");
	else if (n.refused)
		reply_error(reply, 400, "bad-command",
			    "all lines of a request are one transaction: "
			    "begin, commit, abort and sync are not needed");
	else if (n.changes == n.lines)
		carry_out_lines(api, request, text_get(&lines), reply);
	else if (n.lines == 1)
		ask_alone(api, request, n.last, reply);
	else
		reply_error(reply, 400, "bad-command",
			    "what is not set, service or backend must be the "
			    "only line");
	text_free(&lines);
}

/* -------------------------------------------------------- reload, save, stop
 */

static bool flag_of(const struct request *request, const char *name, bool *out,
		    struct reply *reply)
{
	const char *value = request_query(request, name);
	struct err err;

	*out = false;
	if (!value || router_flag(name, value, out, &err) == 0)
		return true;
	reply_error(reply, 400, "bad-query", "%s", err.text);
	return false;
}

static void reload(struct api *api, const struct request *request,
		   struct reply *reply)
{
	struct json_writer w = json_writer(&reply->body);
	struct answer answer;
	char line[32];
	bool reset;

	if (!flag_of(request, "reset", &reset, reply))
		return;
	snprintf(line, sizeof(line), "reload%s%s", reset ? " reset" : "",
		 request->dry_run ? " dry" : "");
	if (change_command(api, request, line, RELOAD_MS, &answer, reply)) {
		reply->generation = answer.generation;
		(void)api_wait_generation(api, reply->generation);
		json_put_object(&w, NULL);
		json_put_number(&w, "generation", reply->generation);
		if (request->dry_run)
			json_put_flag(&w, "dry_run", true);
		json_put_lines(&w, "changes", "change",
			       text_get(&answer.lines));
		json_put_lines(&w, "kept", "kept", text_get(&answer.lines));
		json_put_lines(&w, "needs_restart", "restart",
			       text_get(&answer.lines));
		json_put_lines(&w, "warnings", "warn", text_get(&answer.lines));
		json_put_end(&w);
	} else if (strcmp(answer.code, "invalid") == 0) {
		/* The request is right; what the file says is not. */
		reply->status = 422;
	}
	answer_free(&answer);
}

static void save(struct api *api, const struct request *request,
		 struct reply *reply)
{
	const char *name = board_reader_head(api->board)->name;
	struct json_writer w = json_writer(&reply->body);
	struct answer answer;
	char path[128];

	if (change_command(api, request, "save", SAVE_MS, &answer, reply)) {
		snprintf(path, sizeof(path), "/var/lib/l4lb/%.31s.changes",
			 name);
		json_put_object(&w, NULL);
		json_put_number(&w, "generation", answer.generation);
		json_put_text(&w, "saved", path);
		json_put_end(&w);
	}
	answer_free(&answer);
}

static void stop(struct api *api, const struct request *request,
		 struct reply *reply)
{
	struct json_writer w = json_writer(&reply->body);
	struct board_global global;
	struct answer answer;

	if (change_command(api, request, "stop", ASK_REPLY_MS, &answer,
			   reply)) {
		reply->status = 202;
		json_put_object(&w, NULL);
		json_put_text(&w, "state", "stopping");
		json_put_number(&w, "flows",
				board_read_global(api->board, &global)
					? global.flows_used
					: 0);
		json_put_end(&w);
	}
	answer_free(&answer);
}

static const struct route_value dry[] = {
	{"dry_run", VALUE_FLAG,
	 "check it and answer the commands, but change nothing"},
	{0},
};
static const struct route_value reloading[] = {
	{"dry_run", VALUE_FLAG, "answer what would change, but change nothing"},
	{"reset", VALUE_FLAG, "forget what was changed at run time"},
	{0},
};

const struct route commands_routes[] = {
	{METHOD_POST, "/lb/commands", commands, dry, NULL,
	 ROUTE_WRITES | ROUTE_TEXT,
	 "Lines of commands as one transaction, or one question"},
	{METHOD_POST, "/lb/reload", reload, reloading, NULL, ROUTE_WRITES,
	 "Read the configuration file again"},
	{METHOD_POST, "/lb/save", save, NULL, NULL, ROUTE_WRITES,
	 "Keep the changes of run time over a reboot"},
	{METHOD_POST, "/lb/stop", stop, NULL, NULL, ROUTE_WRITES,
	 "End l4lb: its connections are reset, the guard is removed"},
	{0},
};
