/* SPDX-License-Identifier: MIT */
/*
 * reload.c - the file, what runs, and what is between them
 */
#include <string.h>

#include "ctl/ask.h"
#include "ctl/json_get.h"
#include "ctl/show.h"
#include "ctl/subcommand.h"
#include "ctl/units.h"

int reload_run(struct ctl *c, struct err *err)
{
	char generation[UNITS_TEXT_MAX];
	const json_t *changes;
	json_t *answer;
	struct url u;
	int ret;

	url_start(&u, "/lb/reload");
	if (ctl_has(c, OPTION_DRY_RUN))
		url_query(&u, "dry_run", "1");
	if (ctl_has(c, OPTION_RESET))
		url_query(&u, "reset", "1");
	ret = ask(c, "POST", &u, NULL, &answer, err);
	if (!answer)
		return ret;
	changes = get_value(answer, "changes");
	if (ctl_has(c, OPTION_DRY_RUN))
		show_changes(c, answer);
	else
		show_lines(c, "", changes);
	show_lines(c, "kept: ", get_value(answer, "kept"));
	show_lines(c, "needs a restart: ", get_value(answer, "needs_restart"));
	show_lines(c, "warning: ", get_value(answer, "warnings"));
	if (!ctl_has(c, OPTION_DRY_RUN))
		fprintf(c->out, "%s; generation %s\n",
			json_array_size(changes) ? "done"
						 : "nothing had to change",
			get_any(answer, "generation", generation,
				sizeof(generation)));
	json_decref(answer);
	return ret;
}

/* Not what l4lb notes for itself: which numbers of ids were used. */
static bool is_of_the_user(const json_t *command)
{
	const char *text = json_string_value(command);

	return text && strncmp(text, "set next_id=", 12) != 0;
}

int diff_run(struct ctl *c, struct err *err)
{
	const json_t *command;
	unsigned shown = 0;
	json_t *answer;
	struct url u;
	size_t i;
	int ret;

	url_start(&u, "/lb/diff");
	ret = ask(c, "GET", &u, NULL, &answer, err);
	if (!answer)
		return ret;
	json_array_foreach(get_value(answer, "changes"), i, command)
	{
		if (!is_of_the_user(command))
			continue;
		show_text(c, json_string_value(command));
		fputc('\n', c->out);
		shown++;
	}
	if (!shown)
		fputs("nothing was changed at run time\n", c->out);
	json_decref(answer);
	return ret;
}

int save_run(struct ctl *c, struct err *err)
{
	json_t *answer;
	struct url u;
	int ret;

	if (ctl_has(c, OPTION_PRINT)) {
		url_start(&u, "/lb/config");
		if (!c->json)
			url_query(&u, "format", "ini");
		return ask_for_text(c, &u, err);
	}
	url_start(&u, "/lb/save");
	ret = ask(c, "POST", &u, NULL, &answer, err);
	if (!answer)
		return ret;
	fputs("saved in ", c->out);
	show_text(c, get_text(answer, "saved"));
	fputc('\n', c->out);
	json_decref(answer);
	return ret;
}
