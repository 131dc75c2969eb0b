/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "ctl/help.h"

/* Options of some subcommands, in the order of enum ctl_option. */
static const char *const option_help[] = {
	"      --dry-run          check it and show the change, but change nothing",
	"      --limit N          show at most N (100)",
	"      --all              show all, however many",
	"  -f, --follow           go on as more happen",
	"      --reset            forget what was changed at run time",
	"      --print            print a configuration file, save nothing",
	"  -r, --rate             measure for a second, show figures per second",
	"      --since N          those from number N on",
};

static const char general[] =
	"  -n, --name NAME        the balancer of that name (the only one that "
	"runs)\n"
	"      --socket PATH      its socket, if that is elsewhere\n"
	"      --url URL          http://ADDRESS:PORT of one on another host\n"
	"      --token-file FILE  the secret for changes by --url "
	"(L4LB_TOKEN_FILE)\n"
	"  -j, --json             print the answers of the API as they are\n"
	"  -h, --help             show this, or more about a subcommand\n"
	"  -V, --version          show the version and exit\n";

static const char *blank(const char *text)
{
	return text && *text ? " " : "";
}

static const char *or_none(const char *text)
{
	return text ? text : "";
}

void help_overview(FILE *out)
{
	fputs("Usage: l4lbctl [OPTIONS] SUBCOMMAND [ARGUMENTS]\n"
	      "\n"
	      "Asks and commands an l4lb that runs.\n"
	      "\n",
	      out);
	for (const struct subcommand *s = subcommands; s->name; s++) {
		const int len = fprintf(out, "  %s%s%s", s->name,
					blank(s->action), or_none(s->action));

		fprintf(out, "%*s%s\n", 20 - len, "", s->summary);
	}
	fprintf(out,
		"\n%s\n"
		"l4lbctl SUBCOMMAND --help has its arguments and further "
		"options.\n"
		"Exit status: 0 done, 1 refused, 2 wrong usage, 3 no balancer "
		"answers.\n",
		general);
}

void help_subcommand(FILE *out, const char *name, const struct subcommand *only)
{
	const char *between = "";

	for (const struct subcommand *s = subcommands; s->name; s++) {
		if (strcmp(s->name, name) != 0 || (only && s != only))
			continue;
		fprintf(out, "%sUsage: l4lbctl %s%s%s%s%s\n\n  %s\n", between,
			s->name, blank(s->action), or_none(s->action),
			blank(s->arguments), s->arguments, s->summary);
		if (s->details)
			fprintf(out, "\n%s\n", s->details);
		if (s->options)
			fputc('\n', out);
		for (unsigned i = 0; s->options >> i; i++)
			if (s->options >> i & 1)
				fprintf(out, "%s\n", option_help[i]);
		between = "\n";
	}
}
