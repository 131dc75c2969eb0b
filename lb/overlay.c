/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app.h"
#include "clock.h"
#include "control/command.h"
#include "control/diff_changed.h"
#include "control/overlay_text.h"
#include "core/time.h"
#include "host/small_file.h"
#include "log.h"
#include "overlay.h"
#include "save.h"

static_assert(sizeof(INSTANCE_DIR "/.changes") + CONFIG_NAME_MAX <=
		      OVERLAY_PATH_MAX,
	      "any name fits");

const char *overlay_path(const struct app *app, char path[OVERLAY_PATH_MAX])
{
	snprintf(path, OVERLAY_PATH_MAX, INSTANCE_DIR "/%s.changes",
		 app->config.name);
	return path;
}

/* ------------------------------------------------------------------- writing
 */

/* A place beside a live one of the same address needs no mention. */
static bool is_mentioned(const struct service_config *s,
			 const struct backend_config *b)
{
	return b->slot == SLOT_LEAVING && b->leaves != LEAVE_ON_DOWN &&
	       !diff_find_backend(s, &b->addr, 0);
}

static void print_leaving(const struct config *c, struct text *out)
{
	for (unsigned i = 0; i < c->n_services; i++) {
		const struct service_config *s = &c->services[i];
		char listen[ENDPOINT_TEXT_MAX], addr[ENDPOINT_TEXT_MAX];

		for (unsigned k = 0; service_is_live(s) && k < s->n_backends;
		     k++)
			if (is_mentioned(s, &s->backends[k]))
				text_add(out, OVERLAY_LEAVING "%s %s %s\n",
					 endpoint_format(&s->listen, listen),
					 endpoint_format(&s->backends[k].addr,
							 addr),
					 command_leave_word(
						 s->backends[k].leaves));
	}
}

/* Puts "base " in front of each line. -ENOMEM. */
static int print_base(const struct config *base, struct text *out)
{
	char line[OVERLAY_LINE_MAX];
	struct text lines = {.bytes = NULL};
	const char *next;

	if (config_print(base, &lines))
		out->failed = true;
	next = text_get(&lines);
	while (text_next_line(&next, line, sizeof(line)))
		text_add(out, "base %s\n", line);
	text_free(&lines);
	return out->failed ? -ENOMEM : 0;
}

int overlay_text(const struct overlay_base *base, const struct config *config,
		 bool always, struct text *out)
{
	struct text changes = {.bytes = NULL};
	int ret = diff_changed(&base->config, config, &changes);

	print_leaving(config, &changes);
	if (!ret && (always || changes.len > 0)) {
		text_add(out, "%s\n", OVERLAY_HEAD);
		text_put(out, base->head.bytes, base->head.len);
		text_put(out, changes.bytes, changes.len);
	}
	if (changes.failed || out->failed)
		ret = -ENOMEM;
	text_free(&changes);
	return ret;
}

/* The next start takes those if there is no file of ours. */
static bool has_saved(const struct app *app)
{
	char path[SAVE_PATH_MAX];

	return access(save_path(app, path), F_OK) == 0;
}

int overlay_write(struct app *app, const struct overlay_base *base,
		  const struct config *config, struct err *err)
{
	char path[OVERLAY_PATH_MAX];
	struct text t = {.bytes = NULL};
	int ret = overlay_text(base, config, has_saved(app), &t);

	overlay_path(app, path);
	if (ret)
		err_set(err, ret, "out of memory");
	else if (t.len > 0)
		ret = small_file_write(path, t.bytes, t.len, false, err);
	else if (unlink(path) == -1 && errno != ENOENT)
		ret = err_set(err, -errno, "cannot remove %s: %s", path,
			      strerror(errno));
	text_free(&t);
	if (!ret)
		app->overlay.stale = false;
	return ret;
}

void overlay_stale(struct app *app)
{
	app->overlay.stale = true;
}

void overlay_each_second(struct app *app)
{
	struct overlay *o = &app->overlay;
	struct err err;

	if (!o->stale || app->change.phase != CHANGE_NONE)
		return;
	if (overlay_write(app, &o->base, &app->config, &err) && !o->told)
		log_warn("changes made at run time would be lost if l4lb "
			 "died: %s",
			 err.text);
	o->told = o->stale;
}

void overlay_base_free(struct overlay_base *b)
{
	config_free(&b->config);
	text_free(&b->head);
	*b = (struct overlay_base){.head.bytes = NULL};
}

int overlay_base_fill(struct overlay_base *b, const struct config *config)
{
	b->head = (struct text){.bytes = NULL};
	if (config_copy(&b->config, config) || print_base(config, &b->head)) {
		overlay_base_free(b);
		return -ENOMEM;
	}
	return 0;
}
