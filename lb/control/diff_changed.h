/* SPDX-License-Identifier: MIT */
/*
 * diff_changed.h - diff_print() in the time of what has changed
 *
 * A configuration may have sixteen thousand backends, and packets wait while
 * they are compared key by key. Services that are the same byte by byte in the
 * same slot need not be.
 */
#ifndef L4LB_DIFF_CHANGED_H
#define L4LB_DIFF_CHANGED_H

#include "control/diff.h"

/* As diff_print(), if one of them is a copy of the other that was changed. */
int diff_changed(const struct config *from, const struct config *to,
		 struct text *out);

#endif
