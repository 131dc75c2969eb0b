/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "control/words.h"

#define BLANKS " \t"

static int check_bytes(const char *line, struct err *err)
{
	size_t i;

	for (i = 0; line[i]; i++) {
		const unsigned char c = (unsigned char)line[i];

		if (i == WORDS_LINE_MAX)
			return err_set(err, -EINVAL,
				       "the command is longer than %d bytes",
				       WORDS_LINE_MAX);
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return err_set(err, -EINVAL,
				       "control character 0x%02x in a "
				       "command; expected plain text",
				       c);
	}
	return 0;
}

/* Copies a quoted part, from behind its first quote. NULL: it has no end. */
static const char *take_quoted(const char *from, char quote, char **to)
{
	while (*from && *from != quote) {
		if (quote == '"' && from[0] == '\\' &&
		    (from[1] == '"' || from[1] == '\\'))
			from++;
		*(*to)++ = *from++;
	}
	return *from ? from + 1 : NULL;
}

/* Copies one word and a final 0. NULL: a quote is not closed. */
static const char *take_word(const char *from, char **to)
{
	while (from && *from && !strchr(BLANKS, *from)) {
		if (*from == '\'' || *from == '"')
			from = take_quoted(from + 1, *from, to);
		else
			*(*to)++ = *from++;
	}
	*(*to)++ = 0;
	return from;
}

int words_split(struct words *w, const char *line, struct err *err)
{
	char *to = w->bytes;
	int ret = check_bytes(line, err);

	w->n = 0;
	if (ret)
		return ret;
	for (;;) {
		line += strspn(line, BLANKS);
		if (!*line)
			return 0;
		if (w->n == WORDS_MAX)
			return err_set(err, -EINVAL,
				       "more than %d words in a command",
				       WORDS_MAX);
		w->word[w->n++] = to;
		line = take_word(line, &to);
		if (!line)
			return err_set(err, -EINVAL,
				       "a quote is not closed in a command");
	}
}

void words_quote(const char *word, struct text *out)
{
	if (*word && !strpbrk(word, BLANKS "'\"")) {
		text_add(out, "%s", word);
	} else if (!strchr(word, '\'')) {
		text_add(out, "'%s'", word);
	} else {
		text_add(out, "\"");
		for (; *word; word++)
			text_add(out, "%s%c",
				 *word == '"' || *word == '\\' ? "\\" : "",
				 *word);
		text_add(out, "\"");
	}
}
