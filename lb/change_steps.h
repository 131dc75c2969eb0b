/* SPDX-License-Identifier: MIT */
/*
 * change_steps.h - what must be prepared on this host before a change
 *
 * Each step is acknowledged by the kernel before the next, in the order in
 * which no packet meets the host's kernel: the guard takes the packets of a
 * backend before the engine may send to it.
 */
#ifndef L4LB_CHANGE_STEPS_H
#define L4LB_CHANGE_STEPS_H

#include "change.h"

/* Lists the steps from @running to @c->wanted; -ENOMEM. */
int change_list_steps(struct change *c, const struct config *running);

/*
 * After an error the steps before are undone, and leave nothing. -EAGAIN, of
 * both: not now, call it again in a moment.
 */
int change_make_step(struct app *app, const struct change_step *step,
		     struct err *err);
int change_undo_step(struct app *app, const struct change_step *step);

/* True if the backend of the step enters with the change. */
bool change_step_is_backend(const struct change_step *step);

#endif
