/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "ctl/quote.h"

void quote_word(FILE *out, const char *word)
{
	fputc(' ', out);
	if (*word && !strpbrk(word, " \t'\"")) {
		fputs(word, out);
	} else if (!strchr(word, '\'')) {
		fprintf(out, "'%s'", word);
	} else {
		fputc('"', out);
		for (; *word; word++)
			fprintf(out, "%s%c",
				*word == '"' || *word == '\\' ? "\\" : "",
				*word);
		fputc('"', out);
	}
}
