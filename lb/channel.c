/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "channel.h"
#include "channel_jobs.h"
#include "clock.h"
#include "control/command.h"
#include "control/config_value.h"
#include "core/time.h"
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
		{-ENOMEM, "no-room"},
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
	if (ret)
		channel_refuse(app, &app->channel.saves, ret, why);
	else
		channel_ok(app, &app->channel.saves);
}

static void save(struct app *app, const struct asker *who)
{
	struct err err;
	int ret = save_begin(app, saved, &err);

	if (ret)
		channel_refuse(app, who, ret, &err);
	else
		app->channel.saves = *who;
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
	{"show", channel_show},
	{"status", channel_status},
	{"generation", answer_generation},
	{"loop", channel_loop},
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
	struct asker who;

	if (!command_socket_take(ch->socket, fds, clock_now_ns(), &who, text))
		return;
	if (is_changing(app, &who))
		ch->touched_ns = clock_now_ns();
	answer(app, &who, text);
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

static int start(struct app *app, struct err *err)
{
	return command_socket_open(&app->channel.socket, app->config.control,
				   err);
}

static void stop(struct app *app, bool keep)
{
	(void)keep;
	command_socket_close(app->channel.socket);
}

const struct step step_channel = {"channel", start, stop};
