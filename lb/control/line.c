/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control/command.h"
#include "control/line.h"

void line_begin(struct line *l, struct text *out, const char *head, ...)
{
	va_list args;
	int len;

	memset(l, 0, sizeof(*l));
	l->out = out;
	va_start(args, head);
	len = vsnprintf(l->head, sizeof(l->head), head, args);
	va_end(args);
	assert(len >= 0 && (size_t)len < sizeof(l->head));
}

void line_open(struct line *l)
{
	if (l->open)
		return;
	l->open = true;
	l->start = l->out->len;
	text_add(l->out, "%s", l->head);
}

void line_end(struct line *l)
{
	if (l->open)
		text_add(l->out, "\n");
	l->open = false;
}

void line_pair(struct line *l, const char *key, const char *value)
{
	struct text pair = {0}, word = {0};

	text_add(&pair, "%s=%s", key, value);
	words_quote(text_get(&pair), &word);
	/* One value always fits: the longest, a check, has some 1300 bytes. */
	if (l->open && l->out->len - l->start + 1 + word.len > COMMAND_MAX)
		line_end(l);
	line_open(l);
	text_add(l->out, " %s", text_get(&word));
	l->out->failed |= pair.failed || word.failed;
	text_free(&pair);
	text_free(&word);
}

void line_keys(struct line *l, const struct key_table *table, unsigned flags,
	       const struct config *from, const struct service_config *a,
	       const struct config *to, const struct service_config *b)
{
	struct text old = {0}, new = {0};

	for (unsigned i = 0; i < table->n; i++) {
		const struct key *key = &table->keys[i];

		if (!key->print || key->flags & flags)
			continue;
		text_cut(&old, 0);
		text_cut(&new, 0);
		key_print(key, from, a, &old);
		key_print(key, to, b, &new);
		if (strcmp(text_get(&old), text_get(&new)) != 0)
			line_pair(l, key->name, text_get(&new));
	}
	l->out->failed |= old.failed || new.failed;
	text_free(&old);
	text_free(&new);
}
