/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "ctl/command.h"
#include "ctl/subcommand.h"

#define TEXT_MAX (64u << 10) /* the API takes no more */

static void copy_input(FILE *to)
{
	size_t total = 0, n;
	char bytes[4096];

	while (total <= TEXT_MAX &&
	       (n = fread(bytes, 1, sizeof(bytes), stdin)) > 0) {
		fwrite(bytes, 1, n, to);
		total += n;
	}
}

int raw_run(struct ctl *c, struct err *err)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int ret;

	if (!out)
		return err_set(err, CTL_REFUSED, "no memory");
	for (unsigned i = 0; i < c->n_words; i++)
		fprintf(out, "%s\n", c->words[i]);
	if (!c->n_words)
		copy_input(out);
	if (fclose(out) != 0)
		ret = err_set(err, CTL_REFUSED, "no memory");
	else if (len > TEXT_MAX)
		ret = err_set(err, CTL_USAGE,
			      "the commands are longer than %u bytes",
			      TEXT_MAX);
	else
		ret = command_send(c, text, "done", err);
	free(text);
	return ret;
}
