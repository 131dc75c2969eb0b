/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "channel.h"
#include "channel_jobs.h"
#include "channel_who.h"
#include "clock.h"
#include "control/command.h"
#include "control/config_value.h"
#include "core/time.h"
#include "log.h"
#include "save.h"
#include "steps.h"

void channel_refuse(struct app *app, const struct asker *who, int ret,
		    const struct err *err)
{
	static const struct {
		int ret;
		const char *code;
	} codes[] = {
		{-EINVAL, "invalid"}, {-ENOENT, "not-found"},
		{-EEXIST, "exists"},  {-EBUSY, "busy"},
		{-EPERM, "fixed"},    {-ENOSPC, "no-room"},
		{-ENOMEM, "no-room"}, {-EACCES, "denied"},
	};
	const char *code = "refused";

	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		if (codes[i].ret == ret)
			code = codes[i].code;
	command_socket_end(app->channel.socket, who, "error %s %s", code,
			   err->text);
}

void channel_ok(struct app *app, const struct asker *who)
{
	command_socket_end(app->channel.socket, who, "ok generation=%llu",
			   (unsigned long long)app->change.generation);
}

/* ------------------------------------------------------------------ changes */

/* Whoever looks at the change later shall know. */
static void note_who(struct app *app)
{
	snprintf(app->change.by, sizeof(app->change.by), "%s", app->channel.by);
}

static bool is_changing(const struct app *app, const struct asker *who)
{
	const struct channel *ch = &app->channel;

	return ch->begun && ch->changes.number == who->number;
}

static void forget_change(struct app *app)
{
	app->channel.begun = false;
	app->channel.refused = 0;
	app->channel.changes = (struct asker){0};
}

static void change_done(struct app *app, int ret, const struct err *why)
{
	const struct asker who = app->channel.changes;

	forget_change(app);
	if (ret)
		channel_refuse(app, &who, ret, why);
	else
		channel_ok(app, &who);
}

static void carry_out(struct app *app, const struct asker *who)
{
	app->channel.begun = false; /* nobody can abort it any more */
	app->channel.changes = *who;
	change_commit(app, NULL, change_done);
}

static void begin(struct app *app, const struct asker *who)
{
	struct err err;
	int ret;

	if (is_changing(app, who))
		ret = err_set(&err, -EBUSY,
			      "you have begun a change; commit or abort it");
	else
		ret = change_begin(app, &err);
	if (ret) {
		channel_refuse(app, who, ret, &err);
		return;
	}
	note_who(app);
	app->channel.changes = *who;
	app->channel.begun = true;
	app->channel.begun_ns = clock_now_ns();
	channel_ok(app, who);
}

static int nothing_begun(struct err *err)
{
	return err_set(err, -EINVAL,
		       "no change was begun, or it was given up: after %d s "
		       "without a command, or %d s in all",
		       CHANNEL_IDLE_MAX_S, CHANNEL_OPEN_MAX_S);
}

/* The error of the first command that was refused, or 0. */
static int refused_before(const struct app *app, struct err *err)
{
	if (app->channel.refused)
		err_set(err, 0, "a command of this change was refused: %.400s",
			app->channel.why.text);
	return app->channel.refused;
}

static void give_up(struct app *app)
{
	change_abort(app);
	forget_change(app);
}

static void abort_change(struct app *app, const struct asker *who)
{
	struct err err;

	if (!is_changing(app, who)) {
		channel_refuse(app, who, nothing_begun(&err), &err);
		return;
	}
	give_up(app);
	channel_ok(app, who);
}

static void commit(struct app *app, const struct asker *who)
{
	struct err err;
	int ret = is_changing(app, who) ? refused_before(app, &err)
					: nothing_begun(&err);

	if (!ret) {
		carry_out(app, who);
		return;
	}
	channel_refuse(app, who, ret, &err);
	if (is_changing(app, who))
		give_up(app);
}

static void commit_dry(struct app *app, const struct asker *who)
{
	const char *lines;
	struct err err;
	int ret = is_changing(app, who) ? refused_before(app, &err)
					: nothing_begun(&err);

	if (!ret)
		ret = change_check(app, &lines, &err);
	if (ret) {
		channel_refuse(app, who, ret, &err);
	} else {
		command_socket_lines(app->channel.socket, who, lines,
				     strlen(lines), clock_now_ns());
		channel_end_after_lines(app, who);
	}
	if (is_changing(app, who))
		give_up(app);
}

static int refuse_unknown(const char *text, struct err *err);

/* A command that changes the configuration, alone or after `begin`. */
static void apply(struct app *app, const struct asker *who, const char *text)
{
	const bool alone = !is_changing(app, who);
	struct err err;
	int ret = alone ? change_begin(app, &err) : 0;

	if (ret) {
		channel_refuse(app, who, ret, &err);
		return;
	}
	note_who(app);
	ret = command_is_known(text) ? change_apply(app, text, &err)
				     : refuse_unknown(text, &err);
	if (!ret && alone) {
		carry_out(app, who);
		return;
	}
	if (!ret) {
		channel_ok(app, who);
		return;
	}
	channel_refuse(app, who, ret, &err);
	if (alone) {
		change_abort(app);
	} else if (!app->channel.refused) {
		app->channel.refused = ret;
		app->channel.why = err;
	}
}

/* --------------------------------------------------------------- the commands
 */

static void saved(struct app *app, int ret, const struct err *why)
{
	if (ret) {
		channel_refuse(app, &app->channel.saves, ret, why);
		return;
	}
	publish_operator(app, OPERATOR_SAVED, app->channel.saves_by, "");
	channel_ok(app, &app->channel.saves);
}

static void save(struct app *app, const struct asker *who)
{
	struct err err;
	int ret = save_begin(app, saved, &err);

	if (ret) {
		channel_refuse(app, who, ret, &err);
		return;
	}
	app->channel.saves = *who;
	memcpy(app->channel.saves_by, app->channel.by,
	       sizeof(app->channel.saves_by));
}

static void reload(struct app *app, const struct asker *who)
{
	reload_by_command(app, who, false, false);
}

static void reload_dry(struct app *app, const struct asker *who)
{
	reload_by_command(app, who, false, true);
}

static void reload_reset(struct app *app, const struct asker *who)
{
	reload_by_command(app, who, true, false);
}

static void reload_reset_dry(struct app *app, const struct asker *who)
{
	reload_by_command(app, who, true, true);
}

static void show(struct app *app, const struct asker *who)
{
	channel_show(app, who, &app->config);
}

static void show_base(struct app *app, const struct asker *who)
{
	channel_show(app, who, &app->overlay.base.config);
}

/* As SIGTERM, but also with guard = keep; a second one insists, too. */
static void stop_all(struct app *app, const struct asker *who)
{
	log_info("stop: asked for by %s", app->channel.by);
	channel_ok(app, who);
	memcpy(app->channel.stops_by, app->channel.by, CHANNEL_BY_MAX);
	app->signals.ends = true;
	app->signals.stops++;
}

static void answer_generation(struct app *app, const struct asker *who)
{
	channel_ok(app, who);
}

static const struct {
	const char *text; /* the whole command */
	void (*answer)(struct app *app, const struct asker *who);
} commands[] = {
	{"begin", begin},
	{"commit", commit},
	{"commit dry", commit_dry},
	{"abort", abort_change},
	{"show", show},
	{"show base", show_base},
	{"status", channel_status},
	{"generation", answer_generation},
	{"loop", channel_loop},
	{"stop", stop_all},
	{"save", save},
	{"reload", reload},
	{"reload dry", reload_dry},
	{"reload reset", reload_reset},
	{"reload reset dry", reload_reset_dry},
};

static int refuse_unknown(const char *text, struct err *err)
{
	char quoted[QUOTED_MAX], list[256] = "";

	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list),
			 "%s, ", commands[i].text);
	return err_set(err, -EINVAL,
		       "unknown command \"%s\"; expected set, service, "
		       "backend, %sor flow kill ID",
		       value_quote(text, quoted), list);
}

/*
 * All replies before this one are of earlier commands: so a new l4lb-api finds
 * out where its own begin.
 */
static void answer_sync(struct app *app, const struct asker *who,
			const char *word)
{
	command_socket_end(app->channel.socket, who,
			   "ok sync=%.64s generation=%llu", word,
			   (unsigned long long)app->change.generation);
}

static void answer(struct app *app, const struct asker *who, const char *text)
{
	unsigned long long id;
	int end = 0;

	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (strcmp(text, commands[i].text) == 0) {
			commands[i].answer(app, who);
			return;
		}
	if (sscanf(text, "flow kill %llu%n", &id, &end) == 1 && end &&
	    !text[end])
		channel_kill(app, who, id);
	else if (strncmp(text, "sync ", 5) == 0)
		answer_sync(app, who, text + 5);
	else
		apply(app, who, text);
}

void channel_poll(const struct app *app, struct pollfd *fds)
{
	command_socket_poll(app->channel.socket, fds);
}

void channel_read(struct app *app, const struct pollfd *fds)
{
	struct channel *ch = &app->channel;
	char text[ASKED_MAX + 1];
	const char *command;
	struct asker who;
	struct err err;
	int ret;

	if (!command_socket_take(ch->socket, fds, clock_now_ns(), &who, text))
		return;
	if (is_changing(app, &who))
		ch->touched_ns = clock_now_ns();
	command = channel_judge(app, &who, text, &ret, &err);
	if (command)
		answer(app, &who, command);
	else
		channel_refuse(app, &who, ret, &err);
	if (is_changing(app, &who))
		ch->touched_ns = clock_now_ns();
}

uint64_t channel_turn(struct app *app)
{
	struct channel *ch = &app->channel;
	const uint64_t next_ns = channel_continue(app);
	uint64_t end_ns;

	if (!ch->begun)
		return next_ns;
	end_ns = ch->touched_ns + CHANNEL_IDLE_MAX_S * NS_PER_S;
	if (end_ns > ch->begun_ns + CHANNEL_OPEN_MAX_S * NS_PER_S)
		end_ns = ch->begun_ns + CHANNEL_OPEN_MAX_S * NS_PER_S;
	if (clock_now_ns() >= end_ns ||
	    !command_socket_serves(ch->socket, &ch->changes)) {
		give_up(app);
		return next_ns;
	}
	return end_ns < next_ns ? end_ns : next_ns;
}

/* -------------------------------------------------------------- start and end
 */

static int open_socket(struct app *app, struct err *err)
{
	if (app->channel.socket)
		return 0;
	return command_socket_open(&app->channel.socket, app->config.control,
				   err);
}

/* In a folder of root's, for which there is no other time. */
static int open_as_root(struct app *app, struct err *err)
{
	return command_socket_is_roots(app->config.control)
		       ? open_socket(app, err)
		       : 0;
}

static int start(struct app *app, struct err *err)
{
	int ret = open_socket(app, err);

	for (unsigned i = 0; !ret && i < API_CHANNELS; i++) {
		if (app->api.channels[i] == -1)
			continue;
		command_socket_adopt(app->channel.socket, app->api.channels[i]);
		app->api.channels[i] = -1;
	}
	return ret;
}

static void stop(struct app *app, bool keep)
{
	(void)keep;
	command_socket_close(app->channel.socket);
	app->channel.socket = NULL;
}

const struct step step_channel_of_root = {"channel of root", open_as_root,
					  stop};
const struct step step_channel = {"channel", start, stop};
