/* SPDX-License-Identifier: MIT */
/*
 * overlay_text.h - the text of NAME.changes: what was changed at run time
 *
 * The first line is OVERLAY_HEAD. Lines that begin with "base " follow: the
 * configuration that the file gave when it was last read, as config_print() has
 * it. All others are commands that were given since then.
 */
#ifndef L4LB_OVERLAY_TEXT_H
#define L4LB_OVERLAY_TEXT_H

#include "control/config.h"
#include "control/text.h"

#define OVERLAY_HEAD "l4lb-changes 1"

/*
 * @base gets what the file gave, @running the same with the commands applied.
 * Neither needs preparation. -EINVAL: @err has the line and what is wrong with
 * it; then, and for -ENOMEM, neither has to be freed.
 */
int overlay_parse(const char *text, struct config *base, struct config *running,
		  struct err *err);

/* The way back: the shortest text that overlay_parse() reads as these two. */
int overlay_print(const struct config *base, const struct config *running,
		  struct text *out);

#endif
