/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "ctl/ask.h"
#include "ctl/command.h"
#include "ctl/json_get.h"
#include "ctl/quote.h"
#include "ctl/show.h"
#include "ctl/subcommand.h"
#include "ctl/units.h"

int command_send(struct ctl *c, const char *text, const char *done,
		 struct err *err)
{
	char generation[UNITS_TEXT_MAX];
	json_t *answer;
	struct url u;
	int ret;

	url_start(&u, "/lb/commands");
	if (ctl_has(c, OPTION_DRY_RUN))
		url_query(&u, "dry_run", "1");
	ret = ask_with_text(c, &u, text, &answer, err);
	if (!answer)
		return ret;
	if (ctl_has(c, OPTION_DRY_RUN))
		show_changes(c, answer);
	else if (json_array_size(get_value(answer, "lines")))
		show_lines(c, "", get_value(answer, "lines"));
	else
		fprintf(c->out, "%s; generation %s\n", done,
			get_any(answer, "generation", generation,
				sizeof(generation)));
	json_decref(answer);
	return ret;
}

/* @verb and the words, as one command. */
static int with_words(struct ctl *c, const char *verb, struct err *err)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int ret;

	if (!out)
		return err_set(err, CTL_REFUSED, "no memory");
	fputs(verb, out);
	for (unsigned i = 0; i < c->n_words; i++)
		quote_word(out, c->words[i]);
	fputc('\n', out);
	ret = fclose(out) == 0 ? command_send(c, text, "done", err)
			       : err_set(err, CTL_REFUSED, "no memory");
	free(text);
	return ret;
}

int service_add_run(struct ctl *c, struct err *err)
{
	return with_words(c, "service add", err);
}

int service_set_run(struct ctl *c, struct err *err)
{
	return with_words(c, "service set", err);
}

int service_remove_run(struct ctl *c, struct err *err)
{
	return with_words(c, "service remove", err);
}

int set_run(struct ctl *c, struct err *err)
{
	return with_words(c, "set", err);
}
