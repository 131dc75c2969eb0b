/* SPDX-License-Identifier: MIT */
/* Describes an option that getopt_long() refused. */
#ifndef CHAT_BADOPTION_H
#define CHAT_BADOPTION_H

#include <getopt.h>
#include <stdio.h>

/*
 * @result: '?' or ':' as returned by getopt_long(), with opterr 0 and an option
 * string that begins with ':'. @names: the table that it used.
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
	/* A known option is refused only for --NAME=VALUE. */
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
