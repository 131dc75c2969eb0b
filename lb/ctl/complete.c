/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "ctl/ask.h"
#include "ctl/complete.h"
#include "ctl/json_get.h"
#include "ctl/options.h"
#include "ctl/subcommand.h"
#include "ctl/table.h"

#define WORD_MAX 128

struct completion {
	struct ctl *c;
	const char *start; /* what the user has typed of the word */
	json_t *backends;  /* asked once; NULL: not yet, or nobody answers */
	bool asked;
};

static void offer(const struct completion *k, const char *before,
		  const char *word)
{
	char text[WORD_MAX];

	if (snprintf(text, sizeof(text), "%s%s", before, word) <
		    (int)sizeof(text) &&
	    strncmp(text, k->start, strlen(k->start)) == 0) {
		table_text(k->c->out, text, 0, 0, k->c->utf8);
		fputc('\n', k->c->out);
	}
}

static const json_t *backends(struct completion *k)
{
	struct err ignored;
	struct url u;

	url_start(&u, "/lb/backends");
	if (!k->asked &&
	    ask_quietly(k->c, "GET", &u, NULL, &k->backends, &ignored))
		k->backends = NULL;
	k->asked = true;
	return k->backends;
}

/* Each once: backends of a service come one after the other. */
static void offer_names(struct completion *k, const char *before,
			const char *key)
{
	const char *last = "";
	const json_t *b;
	size_t i;

	json_array_foreach(backends(k), i, b)
	{
		const char *name = get_text(b, key);

		if (strcmp(name, last) != 0)
			offer(k, before, name);
		last = name;
	}
}

static void offer_terms(struct completion *k)
{
	for (const char *const *term = flow_terms; *term; term++)
		offer(k, "", *term);
	if (strncmp(k->start, "backend=", 8) == 0)
		offer_names(k, "backend=", "id");
	if (strncmp(k->start, "service=", 8) == 0)
		offer_names(k, "service=", "service");
}

/* key=A|B|C, or key= where the value is anybody's. */
static void offer_values(struct completion *k, const char *key,
			 const char *equals)
{
	char before[WORD_MAX], value[WORD_MAX];
	const char *from = equals + 1;

	snprintf(before, sizeof(before), "%.*s", (int)(equals + 1 - key), key);
	if (!strchr(from, '|')) {
		offer(k, "", before);
		return;
	}
	while (*from) {
		const int len = (int)strcspn(from, "|");

		snprintf(value, sizeof(value), "%.*s", len, from);
		offer(k, before, value);
		from += len + (from[len] == '|');
	}
}

/* @name: a word of struct subcommand's arguments, without brackets. */
static void offer_argument(struct completion *k, const char *name)
{
	const char *equals = strchr(name, '=');

	if (strcmp(name, "SERVICE") == 0)
		offer_names(k, "", "service");
	else if (strcmp(name, "ID") == 0)
		offer_names(k, "", "id");
	else if (strcmp(name, "FILTER") == 0)
		offer_terms(k);
	else if (equals && name[0] >= 'a' && name[0] <= 'z')
		offer_values(k, name, equals);
	else if (name[0] >= 'a' && name[0] <= 'z')
		offer(k, "", name);
}

static void offer_arguments(struct completion *k, const char *arguments)
{
	char name[WORD_MAX];

	while (*arguments) {
		const size_t len = strcspn(arguments, " ");
		size_t begin = arguments[0] == '[', end = len;

		while (end > begin && strchr("].", arguments[end - 1]))
			end--;
		snprintf(name, sizeof(name), "%.*s", (int)(end - begin),
			 arguments + begin);
		offer_argument(k, name);
		arguments += len;
		arguments += strspn(arguments, " ");
	}
}

static void offer_subcommands(const struct completion *k, const char *name)
{
	const char *last = "";

	for (const struct subcommand *s = subcommands; s->name; s++) {
		const char *word = name ? s->action : s->name;

		if (!word || (name && strcmp(s->name, name) != 0))
			continue;
		if (strcmp(word, last) != 0)
			offer(k, "", word);
		last = word;
	}
}

/* The words that are no options, of which @n are before the last one. */
static void offer_for(struct completion *k, char *const *words, unsigned n)
{
	if (n == 0) {
		offer_subcommands(k, NULL);
		return;
	}
	for (const struct subcommand *s = subcommands; s->name; s++) {
		if (strcmp(s->name, words[0]) != 0)
			continue;
		if (s->action && n == 1) {
			offer_subcommands(k, words[0]);
			return;
		}
		if (!s->action || strcmp(s->action, words[1]) == 0)
			offer_arguments(k, s->arguments);
	}
}

/* What says which balancer is asked. */
static void take_option(struct ctl *c, const char *option, const char *value)
{
	if (strcmp(option, "-n") == 0 || strcmp(option, "--name") == 0)
		c->name = value;
	else if (strcmp(option, "--socket") == 0)
		c->socket = value;
	else if (strcmp(option, "--url") == 0)
		c->url = value;
	else if (strcmp(option, "--token-file") == 0)
		c->token_file = value;
}

void complete(struct ctl *c, int n, char *const *words)
{
	struct completion k = {.c = c, .start = n > 0 ? words[n - 1] : ""};
	char *rest[WORD_MAX];
	unsigned n_rest = 0;
	int i;

	for (i = 0; i < n - 1; i++) {
		if (option_has_value(words[i])) {
			take_option(c, words[i], words[i + 1]);
			i++;
		} else if (words[i][0] != '-' && n_rest < WORD_MAX) {
			rest[n_rest++] = words[i];
		}
	}
	if (i > n - 1)
		return; /* the value of an option */
	if (k.start[0] == '-') {
		for (const char *const *o = option_names; *o; o++)
			offer(&k, "", *o);
		return;
	}
	offer_for(&k, rest, n_rest);
	json_decref(k.backends);
}
