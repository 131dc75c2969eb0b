/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "change.h"
#include "change_commit.h"
#include "change_steps.h"
#include "clock.h"
#include "control/command.h"
#include "control/diff_changed.h"
#include "control/leaving.h"
#include "core/time.h"
#include "log.h"
#include "services.h"

/* What a turn of the loop may take: whichever is reached first. */
#define STEPS_A_TURN 64
#define TURN_NS	     NS_PER_MS

#define AGAIN_NS (5 * NS_PER_MS) /* for what cannot be done now */

int change_begin(struct app *app, struct err *err)
{
	struct change *c = &app->change;

	if (c->phase != CHANGE_NONE)
		return err_set(err, -EBUSY,
			       "another change is being made; try again in a "
			       "moment");
	if (config_copy(&c->wanted, &app->config)) {
		config_free(&c->wanted);
		return err_set(err, -ENOMEM, "out of memory");
	}
	c->phase = CHANGE_OPEN;
	c->by[0] = 0;
	c->n_steps = c->made = 0;
	c->ret = 0;
	return 0;
}

int change_apply(struct app *app, const char *line, struct err *err)
{
	return command_apply(&app->change.wanted, line, err);
}

/* Everything but the generation, and what was applied if @config. */
static void clear(struct change *c, bool config)
{
	const uint64_t generation = c->generation;

	if (config)
		config_free(&c->wanted);
	text_free(&c->lines);
	free(c->steps);
	*c = (struct change){.generation = generation};
}

void change_abort(struct app *app)
{
	if (app->change.phase == CHANGE_OPEN)
		clear(&app->change, true);
}

void change_free(struct app *app)
{
	const enum change_phase phase = app->change.phase;

	clear(&app->change, phase != CHANGE_NONE && phase != CHANGE_TELLS);
}

/* ------------------------------------------------------------------ checking
 */

static bool has_sources(const struct service_config *s,
			const struct service_config *of)
{
	return s->n_sources == of->n_sources &&
	       memcmp(s->sources, of->sources,
		      s->n_sources * sizeof(s->sources[0])) == 0;
}

/*
 * Other sources are for new flows. So each backend gets a new place, with new
 * pools; the old place leaves with the flows that it has.
 */
static int move_backends(struct service_config *is,
			 const struct service_config *was, struct err *err)
{
	for (unsigned k = 0; k < was->n_backends; k++)
		if (backend_is_live(&was->backends[k]) &&
		    backend_is_live(&is->backends[k]) &&
		    leaving_move(is, k) < 0)
			return err_set(err, -ENOSPC,
				       "service \"%s\": other sources need a "
				       "second place for each backend as long "
				       "as connections by the old ones are "
				       "open, and %d are the most",
				       is->name, CONFIG_BACKENDS_MAX);
	return 0;
}

static int settle(struct config *wanted, const struct config *running,
		  struct err *err)
{
	int ret = 0;

	for (unsigned i = 0; i < running->n_services && !ret; i++) {
		const struct service_config *was = &running->services[i];
		struct service_config *is = &wanted->services[i];

		if (service_is_live(was) && service_is_live(is) &&
		    !has_sources(is, was))
			ret = move_backends(is, was, err);
	}
	return ret;
}

int change_check(struct app *app, const char **lines, struct err *err)
{
	struct change *c = &app->change;
	int ret = command_check(&c->wanted, err);

	if (ret)
		return ret;
	text_cut(&c->lines, 0);
	if (diff_changed(&app->config, &c->wanted, &c->lines) ||
	    c->lines.failed)
		return err_set(err, -ENOMEM, "out of memory");
	*lines = text_get(&c->lines);
	return 0;
}

/* --------------------------------------------------------------- carrying out
 */

static void end(struct app *app)
{
	struct change *c = &app->change;
	change_done_fn *done = c->done;
	const struct err why = c->why;
	const int ret = c->ret;

	/* After a commit .wanted is what was running before; it is freed. */
	clear(c, ret != 0);
	done(app, ret, &why);
}

static int begin_steps(struct app *app, struct err *err)
{
	struct change *c = &app->change;
	const char *lines;
	int ret = change_check(app, &lines, err);

	if (!ret)
		ret = settle(&c->wanted, &app->config, err);
	if (!ret && change_list_steps(c, &app->config))
		ret = err_set(err, -ENOMEM, "out of memory");
	return ret;
}

void change_commit(struct app *app, struct overlay_base *base,
		   change_done_fn *done)
{
	struct change *c = &app->change;

	c->done = done;
	c->base = base;
	c->ret = begin_steps(app, &c->why);
	if (c->ret)
		end(app);
	else
		c->phase = CHANGE_PREPARES;
}

/* True if the turn has had enough. */
static bool enough(unsigned n, uint64_t begin_ns)
{
	return n >= STEPS_A_TURN || clock_now_ns() - begin_ns >= TURN_NS;
}

/* Whatever the errno of a step is: it is this host that refuses it. */
static int as_refusal(int ret)
{
	return ret == -ENOSPC || ret == -ENOMEM ? ret : -ECANCELED;
}

static uint64_t prepare(struct app *app)
{
	struct change *c = &app->change;
	const uint64_t begin_ns = clock_now_ns();
	struct err err;

	for (unsigned n = 0; c->made < c->n_steps; n++) {
		int ret;

		if (enough(n, begin_ns))
			return 0;
		ret = change_make_step(app, &c->steps[c->made], &err);
		if (ret == -EAGAIN)
			return clock_now_ns() + AGAIN_NS;
		if (ret) {
			c->ret = as_refusal(ret);
			c->why = err;
			c->phase = CHANGE_UNDOES;
			return 0;
		}
		c->made++;
	}
	change_enter(app);
	c->phase = CHANGE_TELLS;
	c->made = 0;
	return 0;
}

static uint64_t undo(struct app *app)
{
	struct change *c = &app->change;
	const uint64_t begin_ns = clock_now_ns();

	for (unsigned n = 0; c->made > 0; n++) {
		if (enough(n, begin_ns))
			return 0;
		if (change_undo_step(app, &c->steps[c->made - 1]) == -EAGAIN)
			return clock_now_ns() + AGAIN_NS;
		c->made--;
	}
	end(app);
	return 0;
}

static bool tell_line(struct app *app)
{
	struct change *c = &app->change;
	const char *line = text_get(&c->lines) + c->told;
	const size_t len = strcspn(line, "\n");
	char text[JOURNAL_TEXT_MAX + 1];

	if (!*line)
		return false;
	log_info("change: %.*s", (int)len, line);
	snprintf(text, sizeof(text), "%.*s", (int)len, line);
	publish_operator(app, OPERATOR_CHANGED, app->change.by, text);
	c->told += len + (line[len] == '\n');
	return true;
}

static bool tell_backend(struct app *app)
{
	struct change *c = &app->change;
	const struct change_step *step;

	if (c->made == c->n_steps)
		return false;
	step = &c->steps[c->made++];
	if (change_step_is_backend(step))
		presence_backend_came(app, step->service, step->backend);
	return true;
}

static uint64_t tell(struct app *app)
{
	const uint64_t begin_ns = clock_now_ns();

	for (unsigned n = 0; !enough(n, begin_ns); n++)
		if (!tell_line(app) && !tell_backend(app)) {
			end(app);
			return 0;
		}
	return 0;
}

uint64_t change_turn(struct app *app)
{
	switch (app->change.phase) {
	case CHANGE_NONE:
	case CHANGE_OPEN: return UINT64_MAX;
	case CHANGE_PREPARES: return prepare(app);
	case CHANGE_UNDOES: return undo(app);
	case CHANGE_TELLS: return tell(app);
	}
	return UINT64_MAX;
}
