/* SPDX-License-Identifier: MIT */
/*
 * words.h - the words of a command line, and their quotes
 *
 * Words are separated by blanks. What stands between single quotes is taken as
 * it is. Between double quotes a backslash takes the meaning of a following
 * double quote or backslash away. Quoted and other parts may touch:
 * check='expect "OK"' is one word.
 */
#ifndef L4LB_WORDS_H
#define L4LB_WORDS_H

#include "control/text.h"
#include "core/err.h"

#define WORDS_LINE_MAX 2048 /* bytes of a line, without a final 0 */
#define WORDS_MAX      128

struct words {
	unsigned n;
	char *word[WORDS_MAX];
	char bytes[WORDS_LINE_MAX + 1];
};

/*
 * -EINVAL: the line is too long, has too many words, a quote that is not
 * closed, or a control character.
 */
int words_split(struct words *w, const char *line, struct err *err);

/* Adds @word such that words_split() takes it for one word, the same. */
void words_quote(const char *word, struct text *out);

#endif
