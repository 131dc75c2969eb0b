/* SPDX-License-Identifier: MIT */
/* changer.h - an administrator who changes the balancer while it runs */
#ifndef L4LB_SIM_CHANGER_H
#define L4LB_SIM_CHANGER_H

struct world;

/* One command, or several in one transaction. */
void changer_step(struct world *w);

/* Slots that left and are not named any more become free. */
void changer_finish(struct world *w);

/* All services that clients know are there, and somebody serves them. */
void changer_settle(struct world *w);

#endif
