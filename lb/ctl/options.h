/* SPDX-License-Identifier: MIT */
/*
 * options.h - what the user typed, and help
 */
#ifndef L4LBCTL_OPTIONS_H
#define L4LBCTL_OPTIONS_H

#include "ctl/subcommand.h"

/*
 * Sets @c's options and words, and *@out. *@out is NULL after CTL_OK if help or
 * the version was asked for; it has been printed.
 */
int options_read(struct ctl *c, int argc, char *argv[],
		 const struct subcommand **out, struct err *err);

/* The option's names as completion offers them, in order; ends with NULL. */
extern const char *const option_names[];
/* Whether the next word belongs to that option, "-n" or "--limit". */
bool option_has_value(const char *word);

#endif
