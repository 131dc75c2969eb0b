/* SPDX-License-Identifier: MIT */
#ifndef L4LBCTL_COMPLETE_H
#define L4LBCTL_COMPLETE_H

#include "ctl/ctl.h"

/*
 * Prints what the last of @words may become, a line each: for l4lbctl.bash,
 * which gives what the user has typed after l4lbctl. Never fails: where nobody
 * answers there is less to offer.
 */
void complete(struct ctl *c, int n, char *const *words);

#endif
