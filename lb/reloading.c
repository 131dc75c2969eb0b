/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "channel_jobs.h"
#include "clock.h"
#include "control/command.h"
#include "core/time.h"
#include "log.h"
#include "reloading.h"

#define TRIES	     5 /* if others change something meanwhile */
#define LINES_A_TURN 64
#define TURN_NS	     NS_PER_MS

/* ------------------------------------------------------------------ the end */

/* Calls @tell with each line of @text. */
static void each_line(struct app *app, const struct text *text,
		      void (*tell)(struct app *app, const char *line))
{
	const char *next = text_get(text);
	char line[RELOAD_LINE_MAX];

	while (text_next_line(&next, line, sizeof(line)))
		tell(app, line);
}

static void tell_kept(struct app *app, const char *line)
{
	(void)app;
	log_info("reload: kept: %s", line);
}

static void tell_restart(struct app *app, const char *line)
{
	(void)app;
	log_warn("reload: needs a restart: %s", line);
}

static void tell_warning(struct app *app, const char *line)
{
	(void)app;
	log_warn("reload: %s", line);
}

static void add_lines(struct text *out, const char *word,
		      const struct text *lines)
{
	const char *next = text_get(lines);
	char line[RELOAD_LINE_MAX];

	while (text_next_line(&next, line, sizeof(line)))
		text_add(out, "%s %s\n", word, line);
}

static void clear(struct app *app)
{
	struct reloading *r = &app->reloading;
	const bool again = r->again;

	plan_result_free(r->result);
	overlay_base_free(&r->read);
	*r = (struct reloading){
		.phase = again ? RELOAD_WAITS : RELOAD_NONE,
	};
}

static const char *who_asked(const struct reloading *r)
{
	return r->who.number ? r->by : "SIGHUP";
}

static void refuse(struct app *app, int ret, const struct err *why)
{
	struct reloading *r = &app->reloading;

	log_warn("reload: nothing was changed: %s", why->text);
	if (!r->dry)
		publish_reloaded(app, false, who_asked(r), why->text);
	if (r->announced)
		supervision_reload_ends(app, why->text);
	if (r->who.number)
		channel_refuse(app, &r->who, ret, why);
	clear(app);
}

static void succeed(struct app *app)
{
	struct reloading *r = &app->reloading;
	struct text out = {.bytes = NULL};

	if (r->announced)
		supervision_reload_ends(app, NULL);
	if (!r->dry) {
		each_line(app, &r->result->kept, tell_kept);
		each_line(app, &r->result->restart, tell_restart);
		each_line(app, &r->result->warn, tell_warning);
		log_info("reloaded: generation=%llu%s",
			 (unsigned long long)app->change.generation,
			 r->result->change.len ? "" : ", nothing is different");
		publish_reloaded(
			app, true, who_asked(r),
			r->result->change.len ? "" : "nothing is different");
	}
	if (r->who.number) {
		add_lines(&out, "change", &r->result->change);
		add_lines(&out, "kept", &r->result->kept);
		add_lines(&out, "restart", &r->result->restart);
		add_lines(&out, "warn", &r->result->warn);
		command_socket_lines(app->channel.socket, &r->who,
				     text_get(&out), out.len, clock_now_ns());
		channel_end_after_lines(app, &r->who);
		text_free(&out);
	}
	clear(app);
}

static void entered(struct app *app, int ret, const struct err *why)
{
	if (ret)
		refuse(app, ret, why);
	else
		succeed(app);
}

/* --------------------------------------------------------------- the commands
 */

static int begin_applying(struct app *app, struct err *err)
{
	struct reloading *r = &app->reloading;
	struct config *c = &r->read.config;
	int ret = change_begin(app, err);

	if (ret)
		return ret;
	ret = config_init(c, err);
	if (ret) {
		change_abort(app);
		return ret;
	}
	memcpy(c->name, app->config.name, sizeof(c->name));
	snprintf(app->change.by, sizeof(app->change.by), "%s", who_asked(r));
	r->change = text_get(&r->result->change);
	r->base = text_get(&r->result->base);
	r->phase = RELOAD_APPLIES;
	return 0;
}

/* Applies the next line. 1: that was the last; or an error. */
static int apply_next(struct app *app, struct err *err)
{
	struct reloading *r = &app->reloading;
	char line[RELOAD_LINE_MAX];

	if (text_next_line(&r->change, line, sizeof(line)))
		return command_load(&app->change.wanted, line, err);
	if (!text_next_line(&r->base, line, sizeof(line)))
		return 1;
	text_add(&r->read.head, "base %s\n", line);
	return command_load(&r->read.config, line, err);
}

static int apply_some(struct app *app, struct err *err)
{
	const uint64_t begin_ns = clock_now_ns();
	int ret = 0;

	for (unsigned n = 0;
	     n < LINES_A_TURN && !ret && clock_now_ns() - begin_ns < TURN_NS;
	     n++)
		ret = apply_next(app, err);
	return ret;
}

static void apply(struct app *app)
{
	struct reloading *r = &app->reloading;
	struct err err;
	int ret = apply_some(app, &err);

	if (ret == 0)
		return;
	if (ret == 1)
		ret = r->read.head.failed
			      ? err_set(&err, -ENOMEM, "out of memory")
			      : command_check(&r->read.config, &err);
	if (ret) {
		change_abort(app);
		refuse(app, ret, &err);
		return;
	}
	r->phase = RELOAD_ENTERS;
	change_commit(app, &r->read, entered);
}

/* ---------------------------------------------------------------- the planner
 */

/* Once for each reload, also if it has to be planned anew. */
static void announce(struct app *app)
{
	struct reloading *r = &app->reloading;

	if (r->dry || r->announced)
		return;
	r->announced = true;
	supervision_reload_begins(app);
}

static void ask(struct app *app)
{
	struct reloading *r = &app->reloading;
	struct err err;
	int ret;

	announce(app);
	ret = planner_request(app, &app->overlay.base.config, r->reset, r->dry,
			      &err);

	if (ret) {
		refuse(app, ret, &err);
		return;
	}
	r->generation = app->change.generation;
	r->tries++;
	r->phase = RELOAD_ASKS;
}

/* The answer is here, and nobody else changes anything now. */
static void use_result(struct app *app)
{
	struct reloading *r = &app->reloading;
	struct err err;
	int ret;

	if (r->result->failed) {
		err_set(&err, 0, "%s", r->result->sentence);
		refuse(app, -EINVAL, &err);
		return;
	}
	if (r->generation != app->change.generation && r->tries < TRIES) {
		plan_result_free(r->result);
		r->result = NULL;
		ask(app);
		return;
	}
	if (r->generation != app->change.generation) {
		err_set(&err, 0,
			"others change the configuration all the time; try "
			"again");
		refuse(app, -EBUSY, &err);
		return;
	}
	if (r->dry) {
		succeed(app);
		return;
	}
	ret = begin_applying(app, &err);
	if (ret)
		refuse(app, ret, &err);
}

void reload_read(struct app *app)
{
	struct plan_result *result = planner_read(app);

	if (!result)
		return;
	if (app->reloading.phase != RELOAD_ASKS || app->reloading.result) {
		plan_result_free(result); /* nobody waits for it */
		return;
	}
	app->reloading.result = result;
}

uint64_t reload_turn(struct app *app)
{
	struct reloading *r = &app->reloading;
	const bool free = app->change.phase == CHANGE_NONE;

	if (r->phase == RELOAD_WAITS && free)
		ask(app);
	if (r->phase == RELOAD_ASKS && r->result && free)
		use_result(app);
	if (r->phase == RELOAD_APPLIES)
		apply(app);
	return r->phase == RELOAD_APPLIES ? 0 : UINT64_MAX;
}

void reload_by_signal(struct app *app)
{
	if (app->reloading.phase == RELOAD_NONE)
		app->reloading.phase = RELOAD_WAITS;
	else
		app->reloading.again = true;
}

void reload_by_command(struct app *app, const struct asker *who, bool reset,
		       bool dry)
{
	struct reloading *r = &app->reloading;
	struct err err;

	if (r->phase != RELOAD_NONE) {
		err_set(&err, 0, "the file is being read already");
		channel_refuse(app, who, -EBUSY, &err);
		return;
	}
	r->phase = RELOAD_WAITS;
	r->who = *who;
	memcpy(r->by, app->channel.by, sizeof(r->by));
	r->reset = reset;
	r->dry = dry;
}

void reloading_free(struct app *app)
{
	plan_result_free(app->reloading.result);
	overlay_base_free(&app->reloading.read);
}
