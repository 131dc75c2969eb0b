/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "control/command.h"
#include "control/diff.h"
#include "control/overlay_text.h"

#define BASE	 "base "
#define BASE_LEN (sizeof(BASE) - 1)

struct reading {
	const char *rest;
	bool more;	 /* .line is one */
	unsigned number; /* of the line, from 1 */
	/* Longer than any line that is right, so a cut one is not. */
	char line[BASE_LEN + COMMAND_MAX + 2];
};

static bool next_line(struct reading *r)
{
	r->number++;
	r->more = text_next_line(&r->rest, r->line, sizeof(r->line));
	return r->more;
}

static int fail_at(const struct reading *r, int ret, const struct err *reason,
		   struct err *err)
{
	return err_set(err, ret, "line %u: %s", r->number, reason->text);
}

/* Applies the lines that belong to the file, and stops behind them. */
static int read_base(struct reading *r, struct config *base, struct err *err)
{
	struct err reason;
	int ret;

	while (next_line(r) && strncmp(r->line, BASE, BASE_LEN) == 0) {
		ret = command_load(base, r->line + BASE_LEN, &reason);
		if (ret)
			return fail_at(r, ret, &reason, err);
	}
	ret = command_check(base, &reason);
	return ret ? fail_at(r, ret, &reason, err) : 0;
}

/* From the line at which read_base() has stopped. */
static int read_changes(struct reading *r, struct config *running,
			struct err *err)
{
	struct err reason;
	int ret;

	for (; r->more; next_line(r)) {
		ret = command_load(running, r->line, &reason);
		if (ret)
			return fail_at(r, ret, &reason, err);
	}
	ret = command_check(running, &reason);
	return ret ? fail_at(r, ret, &reason, err) : 0;
}

int overlay_parse(const char *text, struct config *base, struct config *running,
		  struct err *err)
{
	struct reading r = {.rest = text};
	int ret;

	memset(base, 0, sizeof(*base));
	memset(running, 0, sizeof(*running));
	if (!next_line(&r) || strcmp(r.line, OVERLAY_HEAD) != 0)
		return err_set(err, -EINVAL,
			       "line 1: expected \"" OVERLAY_HEAD
			       "\": not written by this version of l4lb");
	ret = config_init(base, err);
	if (!ret)
		ret = read_base(&r, base, err);
	if (!ret && config_copy(running, base))
		ret = err_set(err, -ENOMEM, "out of memory");
	if (!ret)
		ret = read_changes(&r, running, err);
	if (ret) {
		config_free(base);
		config_free(running);
	}
	return ret;
}

int overlay_print(const struct config *base, const struct config *running,
		  struct text *out)
{
	struct text lines = {0};
	const char *rest;
	char line[COMMAND_MAX + 2];
	int ret = config_print(base, &lines);

	text_add(out, OVERLAY_HEAD "\n");
	rest = text_get(&lines);
	while (text_next_line(&rest, line, sizeof(line)))
		text_add(out, BASE "%s\n", line);
	text_free(&lines);
	return ret ? ret : diff_print(base, running, out);
}
