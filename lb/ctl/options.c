/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/help.h"
#include "ctl/options.h"

enum { /* beside letters and enum ctl_option */
       GET_SOCKET = 1 << 16,
       GET_URL,
       GET_TOKEN_FILE,
};

#define SHORT ":n:jfrhV"

static const struct option options[] = {
	{"name", required_argument, NULL, 'n'},
	{"socket", required_argument, NULL, GET_SOCKET},
	{"url", required_argument, NULL, GET_URL},
	{"token-file", required_argument, NULL, GET_TOKEN_FILE},
	{"json", no_argument, NULL, 'j'},
	{"dry-run", no_argument, NULL, OPTION_DRY_RUN << 8},
	{"limit", required_argument, NULL, OPTION_LIMIT << 8},
	{"all", no_argument, NULL, OPTION_ALL << 8},
	{"follow", no_argument, NULL, 'f'},
	{"reset", no_argument, NULL, OPTION_RESET << 8},
	{"print", no_argument, NULL, OPTION_PRINT << 8},
	{"rate", no_argument, NULL, 'r'},
	{"since", required_argument, NULL, OPTION_SINCE << 8},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{NULL, 0, NULL, 0},
};

const char *const option_names[] = {
	"--name",    "--socket", "--url",     "--token-file",
	"--json",    "--limit",	 "--all",     "--follow",
	"--dry-run", "--reset",	 "--print",   "--rate",
	"--since",   "--help",	 "--version", NULL,
};

bool option_has_value(const char *word)
{
	if (strcmp(word, "-n") == 0)
		return true;
	if (strncmp(word, "--", 2) != 0)
		return false;
	for (const struct option *o = options; o->name; o++)
		if (strcmp(o->name, word + 2) == 0)
			return o->has_arg == required_argument;
	return false;
}

struct wish {
	bool help, version;
};

static void take(struct ctl *c, int option, struct wish *wish)
{
	switch (option) {
	case 'n': c->name = optarg; break;
	case GET_SOCKET: c->socket = optarg; break;
	case GET_URL: c->url = optarg; break;
	case GET_TOKEN_FILE: c->token_file = optarg; break;
	case 'j': c->json = true; break;
	case 'f': c->given |= OPTION_FOLLOW; break;
	case 'r': c->given |= OPTION_RATE; break;
	case 'h': wish->help = true; break;
	case 'V': wish->version = true; break;
	default:
		c->given |= (unsigned)option >> 8;
		if (option >> 8 == OPTION_LIMIT)
			c->limit = optarg;
		else if (option >> 8 == OPTION_SINCE)
			c->since = optarg;
	}
}

static int collect(struct ctl *c, int argc, char *argv[], struct wish *wish,
		   struct err *err)
{
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, SHORT, options, NULL)) != -1) {
		if (option == ':')
			return err_set(err, CTL_USAGE,
				       "option %s needs a value",
				       argv[optind - 1]);
		if (option == '?' && optopt && optopt < 256)
			return err_set(err, CTL_USAGE,
				       "unknown option -%c; l4lbctl --help "
				       "lists all",
				       optopt);
		if (option == '?')
			return err_set(err, CTL_USAGE,
				       "option %s is unknown, or not whole, or "
				       "takes no value; l4lbctl --help lists "
				       "all",
				       argv[optind - 1]);
		take(c, option, wish);
	}
	c->words = argv + optind;
	c->n_words = (unsigned)(argc - optind);
	return CTL_OK;
}

/* "status, flows, ...", or the actions of @name. */
static void list(const char *name, char *text, size_t size)
{
	const char *before = "";
	size_t len = 0;

	text[0] = 0;
	for (const struct subcommand *s = subcommands; s->name; s++) {
		const char *word = name ? s->action : s->name;

		if (strcmp(word ? word : "", before) == 0 ||
		    (name && strcmp(s->name, name) != 0) || len >= size)
			continue;
		len += (size_t)snprintf(text + len, size - len, "%s%s",
					len ? ", " : "", word);
		before = word;
	}
}

static bool is_name(const char *name)
{
	for (const struct subcommand *s = subcommands; s->name; s++)
		if (strcmp(s->name, name) == 0)
			return true;
	return false;
}

static const struct subcommand *find(const char *name, const char *action)
{
	for (const struct subcommand *s = subcommands; s->name; s++)
		if (strcmp(s->name, name) == 0 &&
		    (!s->action || (action && strcmp(s->action, action) == 0)))
			return s;
	return NULL;
}

static int unknown(const char *name, const char *action, struct err *err)
{
	char known[256];

	if (!is_name(name)) {
		list(NULL, known, sizeof(known));
		return err_set(err, CTL_USAGE,
			       "unknown subcommand \"%s\"; there are %s", name,
			       known);
	}
	list(name, known, sizeof(known));
	if (!action)
		return err_set(err, CTL_USAGE, "%s what? There are %s", name,
			       known);
	return err_set(err, CTL_USAGE,
		       "unknown action \"%s\" of %s; there are "
		       "%s",
		       action, name, known);
}

static int check_options(const struct ctl *c, const struct subcommand *s,
			 struct err *err)
{
	const unsigned wrong = c->given & ~s->options;

	for (const struct option *o = options; o->name; o++) {
		const unsigned bit = o->val == 'f'   ? OPTION_FOLLOW
				     : o->val == 'r' ? OPTION_RATE
				     : o->val < GET_SOCKET
					     ? (unsigned)o->val >> 8
					     : 0;

		if (wrong & bit)
			return err_set(err, CTL_USAGE,
				       "%s%s%s does not take --%s", s->name,
				       s->action ? " " : "",
				       s->action ? s->action : "", o->name);
	}
	if (ctl_has(c, OPTION_ALL) && ctl_has(c, OPTION_LIMIT))
		return err_set(err, CTL_USAGE,
			       "--all and --limit contradict each other");
	if ((c->name != NULL) + (c->socket != NULL) + (c->url != NULL) > 1)
		return err_set(err, CTL_USAGE,
			       "--name, --socket and --url: only one of them "
			       "can say which balancer");
	return CTL_OK;
}

static int check_words(const struct ctl *c, const struct subcommand *s,
		       struct err *err)
{
	if (c->n_words >= s->words_min && c->n_words <= s->words_max)
		return CTL_OK;
	return err_set(err, CTL_USAGE, "%s; usage: l4lbctl %s%s%s%s%s",
		       c->n_words < s->words_min ? "something is missing"
						 : "that is too much",
		       s->name, s->action ? " " : "",
		       s->action ? s->action : "", *s->arguments ? " " : "",
		       s->arguments);
}

static int show_help(struct ctl *c, struct err *err)
{
	const char *name = c->n_words > 0 ? c->words[0] : NULL;
	const char *action = c->n_words > 1 ? c->words[1] : NULL;

	if (!name) {
		help_overview(c->out);
		return CTL_OK;
	}
	if (!is_name(name) || (action && !find(name, action)))
		return unknown(name, action, err);
	help_subcommand(c->out, name, find(name, action));
	return CTL_OK;
}

int options_read(struct ctl *c, int argc, char *argv[],
		 const struct subcommand **out, struct err *err)
{
	struct wish wish = {.help = false};
	const char *name, *action;
	int ret = collect(c, argc, argv, &wish, err);

	*out = NULL;
	if (ret)
		return ret;
	if (wish.version) {
		fprintf(c->out, "l4lbctl %s\n", L4LB_VERSION);
		return CTL_OK;
	}
	if (!wish.help && c->n_words && strcmp(c->words[0], "help") == 0) {
		wish.help = true;
		c->words++;
		c->n_words--;
	}
	if (wish.help)
		return show_help(c, err);
	if (!c->n_words)
		return err_set(err, CTL_USAGE,
			       "no subcommand; try l4lbctl status, or l4lbctl "
			       "--help");
	name = c->words[0];
	action = c->n_words > 1 ? c->words[1] : NULL;
	*out = find(name, action);
	if (!*out)
		return unknown(name, action, err);
	c->words += (*out)->action ? 2 : 1;
	c->n_words -= (*out)->action ? 2 : 1;
	ret = check_options(c, *out, err);
	return ret ? ret : check_words(c, *out, err);
}
