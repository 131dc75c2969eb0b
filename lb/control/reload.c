/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "control/config_value.h"
#include "control/diff.h"
#include "control/merge.h"
#include "control/reload.h"

/* Adds each line of @lines behind @word. */
static void add_lines(const char *word, const char *lines, struct text *out)
{
	while (*lines) {
		const size_t len = strcspn(lines, "\n");

		text_add(out, "%s %.*s\n", word, (int)len, lines);
		lines += len + (lines[len] == '\n');
	}
}

static int add_config(const char *word, const struct config *c,
		      struct text *out)
{
	struct text lines = {0};
	int ret = config_print(c, &lines);

	add_lines(word, text_get(&lines), out);
	text_free(&lines);
	return ret;
}

int reload_ask_part(const char *word, const struct config *c, unsigned service,
		    struct text *out)
{
	struct config one = *c;

	one.n_services = service < c->n_services;
	if (one.n_services)
		one.services += service;
	return add_config(word, &one, out);
}

int reload_init(struct reload *r, const char *name, struct err *err)
{
	int ret;

	memset(r, 0, sizeof(*r));
	ret = config_init(&r->base, err);
	if (!ret)
		ret = config_init(&r->running, err);
	if (!ret)
		ret = value_name(r->base.name, name, err);
	if (!ret)
		ret = value_name(r->running.name, name, err);
	return ret;
}

/* The rest of @line behind @word and a blank, or NULL. */
static const char *behind(const char *line, const char *word)
{
	const size_t len = strlen(word);

	return strncmp(line, word, len) == 0 && line[len] == ' '
		       ? line + len + 1
		       : NULL;
}

int reload_take(struct reload *r, const char *line, struct err *err)
{
	const char *base = behind(line, "base");
	const char *running = behind(line, "running");

	if (!base && !running)
		return err_set(err, -EINVAL, "a request that is no request");
	return base ? command_load(&r->base, base, err)
		    : command_load(&r->running, running, err);
}

int reload_answer(struct reload *r, struct config *theirs, struct text *out,
		  struct err *err)
{
	struct merge_notes notes = {0};
	struct text changes = {0};
	struct config wanted;
	int ret = command_check(&r->base, err);

	if (!ret)
		ret = command_check(&r->running, err);
	if (ret)
		return ret;
	ret = merge(&r->base, theirs, &r->running, r->reset, &wanted, &notes,
		    err);
	if (!ret) {
		merge_take_ids(theirs, &wanted);
		ret = diff_print(&r->running, &wanted, &changes);
		add_lines("change", text_get(&changes), out);
	}
	if (!ret)
		ret = add_config("base", theirs, out);
	add_lines("kept", text_get(&notes.kept), out);
	add_lines("restart", text_get(&notes.restart), out);
	if (ret == -ENOMEM || out->failed)
		ret = err_set(err, -ENOMEM, "out of memory");
	text_free(&changes);
	merge_notes_free(&notes);
	config_free(&wanted);
	return ret;
}

void reload_free(struct reload *r)
{
	config_free(&r->base);
	config_free(&r->running);
}
