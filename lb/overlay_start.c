/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app.h"
#include "control/command.h"
#include "control/config_value.h"
#include "control/merge.h"
#include "control/overlay_text.h"
#include "host/small_file.h"
#include "log.h"
#include "overlay.h"
#include "save.h"
#include "steps.h"

/* ------------------------------------------------------------------- reading
 */

/* Takes the lines `leaving` out of the text. */
static void take_leaving(struct overlay *o, char *text)
{
	char *to = text;

	for (char *line = text; *line;) {
		const size_t end = strcspn(line, "\n");
		const size_t len = end + (line[end] == '\n');

		if (strncmp(line, OVERLAY_LEAVING, strlen(OVERLAY_LEAVING)) ==
		    0) {
			text_put(&o->leaving, line, len);
		} else {
			memmove(to, line, len);
			to += len;
		}
		line += len;
	}
	*to = '\0';
}

/* What is fixed while l4lb runs is as the file says it now. */
static struct config with_fixed_keys(const struct config *ours,
				     const struct config *theirs)
{
	struct config c = *theirs;

	c.services = ours->services;
	c.n_services = ours->n_services;
	c.next_id = ours->next_id;
	c.timeouts = ours->timeouts;
	c.busy_poll_us = ours->busy_poll_us;
	c.mss_clamp = ours->mss_clamp;
	c.hash_key = ours->hash_key;
	return c;
}

static void tell_kept(const struct text *kept)
{
	const char *next = text_get(kept);
	char line[OVERLAY_LINE_MAX];

	while (text_next_line(&next, line, sizeof(line)))
		log_info("kept: %s", line);
}

/* The running configuration becomes the file's and the changes'. */
static int merge_into(struct app *app, const struct config *base,
		      const struct config *changed, struct err *err)
{
	const struct config *theirs = &app->overlay.base.config;
	const struct config ours = with_fixed_keys(changed, theirs);
	struct merge_notes notes = {.kept.bytes = NULL};
	struct config merged;
	int ret = merge(base, theirs, &ours, false, &merged, &notes, err);

	if (!ret)
		tell_kept(&notes.kept);
	merge_notes_free(&notes);
	if (ret) {
		config_free(&merged);
		return ret;
	}
	config_free(&app->config);
	app->config = merged;
	return 0;
}

static int apply_text(struct app *app, const char *path, char *text,
		      struct err *err)
{
	struct config base, changed;
	struct err why;
	int ret;

	take_leaving(&app->overlay, text);
	ret = overlay_parse(text, &base, &changed, &why);
	if (ret)
		return err_set(err, ret, "%s: %s", path, why.text);
	ret = merge_into(app, &base, &changed, &why);
	config_free(&base);
	config_free(&changed);
	return ret ? err_set(err, ret, "%s: %s", path, why.text) : 0;
}

static void put_aside(struct app *app, const char *path, const struct err *why)
{
	const int ret = small_file_move_aside(path);

	text_cut(&app->overlay.leaving, 0);
	log_warn("the changes made at run time are lost, l4lb goes on as the "
		 "configuration says: %s%s%s",
		 why->text, ret ? "" : "; it is kept with the ending ",
		 ret ? "" : SMALL_FILE_ASIDE);
}

/*
 * One that cannot be used is moved aside, so that l4lb starts and nothing is
 * overwritten. True: the changes of the file are made.
 */
static bool read_changes(struct app *app, const char *path)
{
	char *text;
	struct err err;
	int ret = small_file_read(path, &app->user.owner, &text, &err);

	if (!ret && !text)
		return false;
	if (!ret)
		ret = apply_text(app, path, text, &err);
	free(text);
	if (ret)
		put_aside(app, path, &err);
	else
		log_info("changes made at run time go on, from %s", path);
	return ret == 0;
}

static int start(struct app *app, struct err *err)
{
	char path[OVERLAY_PATH_MAX];

	if (overlay_base_fill(&app->overlay.base, &app->config))
		return err_set(err, -ENOMEM, "out of memory");
	/* Written again with the base of now. */
	if (read_changes(app, overlay_path(app, path)) ||
	    read_changes(app, save_path(app, path)))
		overlay_stale(app);
	return 0;
}

static void stop(struct app *app, bool keep)
{
	char path[OVERLAY_PATH_MAX];

	/* A start that failed leaves it to the next, or to who runs now. */
	if (!keep && app->overlay.ours)
		(void)unlink(overlay_path(app, path));
	reloading_free(app);
	change_free(app);
	overlay_base_free(&app->overlay.base);
	text_free(&app->overlay.leaving);
}

const struct step step_changes = {"changes", start, stop};

/* --------------------------------------------------- flows that go on leaving
 */

static bool parse_leave(const char *word, enum leave *out)
{
	for (*out = LEAVE_DRAIN; *out <= LEAVE_KEEP; ++*out)
		if (strcmp(word, command_leave_word(*out)) == 0)
			return true;
	return false;
}

static void leave_as_before(struct app *app, const char *line)
{
	char listen[32], addr[32], word[16];
	struct endpoint vip, backend;
	enum leave leaves;
	struct err ignored;

	if (sscanf(line, OVERLAY_LEAVING "%31s %31s %15s", listen, addr,
		   word) != 3 ||
	    value_endpoint(listen, NULL, &vip, &ignored) ||
	    value_endpoint(addr, NULL, &backend, &ignored) ||
	    !parse_leave(word, &leaves))
		return;
	for (unsigned i = 0; i < app->config.n_services; i++) {
		struct service_config *s = &app->config.services[i];

		if (!service_is_live(s) || !endpoint_equal(&s->listen, &vip))
			continue;
		for (unsigned k = 0; k < s->n_backends; k++) {
			if (s->backends[k].slot != SLOT_LEAVING ||
			    !endpoint_equal(&s->backends[k].addr, &backend))
				continue;
			s->backends[k].leaves = leaves;
			plan_backend(app->plan, i, k)->params.then = leaves;
		}
	}
}

void overlay_leave_as_before(struct app *app)
{
	const char *next = text_get(&app->overlay.leaving);
	char line[OVERLAY_LINE_MAX];

	while (text_next_line(&next, line, sizeof(line)))
		leave_as_before(app, line);
}
