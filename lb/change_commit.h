/* SPDX-License-Identifier: MIT */
/*
 * change_commit.h - the moment of a change
 */
#ifndef L4LB_CHANGE_COMMIT_H
#define L4LB_CHANGE_COMMIT_H

struct app;

/*
 * Makes the wanted configuration the running one, everywhere. All of it was
 * prepared, so it cannot fail. Call it between two batches of packets.
 */
void change_enter(struct app *app);

#endif
