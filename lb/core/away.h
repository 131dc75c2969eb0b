/* SPDX-License-Identifier: MIT */
/* away.h - addresses of ours that this host lacks now */
#ifndef L4LB_AWAY_H
#define L4LB_AWAY_H

#include "core/state.h"

/* True if every source address toward @b is away or unset. */
bool engine_all_away(const struct engine *e, const struct backend *b);

#endif
