/* SPDX-License-Identifier: MIT */
/*
 * guarding.h - the guard while l4lb runs: put up, watched, taken down
 */
#ifndef L4LB_GUARDING_H
#define L4LB_GUARDING_H

struct app;

/* Reads what nftables reports; logs it if somebody deleted the guard. */
void guarding_read(struct app *app);

#endif
