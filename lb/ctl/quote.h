/* SPDX-License-Identifier: MIT */
/*
 * quote.h - words of the shell as words of a command, see docs/commands.md
 */
#ifndef L4LBCTL_QUOTE_H
#define L4LBCTL_QUOTE_H

#include <stdio.h>

/*
 * Adds " WORD" to @out such that l4lb takes it for one word, the same:
 * check=http GET / becomes 'check=http GET /'.
 */
void quote_word(FILE *out, const char *word);

#endif
