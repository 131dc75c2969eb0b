/* SPDX-License-Identifier: MIT */
/* away.h - addresses of ours that this host does not have now */
#ifndef L4LB_AWAY_H
#define L4LB_AWAY_H

#include "core/state.h"

/* None of our addresses toward it is on this host, or known. */
bool engine_all_away(const struct engine *e, const struct backend *b);

#endif
