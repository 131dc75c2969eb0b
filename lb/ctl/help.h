/* SPDX-License-Identifier: MIT */
#ifndef L4LBCTL_HELP_H
#define L4LBCTL_HELP_H

#include "ctl/subcommand.h"

void help_overview(FILE *out);
/* @only: this action of @name; NULL: all of them. */
void help_subcommand(FILE *out, const char *name,
		     const struct subcommand *only);

#endif
