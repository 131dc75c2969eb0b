/* SPDX-License-Identifier: MIT */
/*
 * show.h - lines that several subcommands print
 */
#ifndef L4LBCTL_SHOW_H
#define L4LBCTL_SHOW_H

#include <jansson.h>

#include "ctl/ctl.h"

/* Text from outside, as harmless as a table makes it. */
void show_text(const struct ctl *c, const char *text);
/* One line for each text of the array @list. */
void show_lines(const struct ctl *c, const char *before, const json_t *list);
/* What a dry run would have done, or what was done: commands. */
void show_changes(const struct ctl *c, const json_t *answer);
/* "2026-11-29T06:25:50.123Z" as the local "Nov 29 06:25:50". */
void show_time(const struct ctl *c, const char *time);

#endif
