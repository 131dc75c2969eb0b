/* SPDX-License-Identifier: MIT */
/* What is wrong with an option that getopt_long() does not take. */
#ifndef CHAT_BADOPTION_H
#define CHAT_BADOPTION_H

#include <getopt.h>
#include <stdio.h>

/*
 * @result: what getopt_long() returned, '?' or ':', with opterr 0 and an
 * option string that begins with ':'. @names: the table it was given.
 */
static inline void badoption_text(char *const argv[],
				  const struct option *names, int result,
				  char *text, size_t size)
{
	const char *given = argv[optind - 1];

	if (result == ':') {
		snprintf(text, size, "option %s needs a value", given);
		return;
	}
	/* A known one is only refused for --NAME=VALUE. */
	for (; optopt && names->name; names++) {
		if (names->val == optopt) {
			snprintf(text, size, "option --%s takes no value",
				 names->name);
			return;
		}
	}
	if (!optopt)
		snprintf(text, size, "there is no option %s", given);
	else
		snprintf(text, size, "there is no option -%c",
			 optopt > 0x20 && optopt < 0x7f ? optopt : '?');
}

#endif
