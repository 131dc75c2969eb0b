/* SPDX-License-Identifier: MIT */
/*
 * save.h - the changes made at run time, kept over a reboot
 *
 * /run/l4lb does not outlive the host. `save` writes the same text to
 * /var/lib/l4lb/NAME.changes, in a child, since a disk may take seconds. A
 * start reads it if there is none in /run/l4lb.
 */
#ifndef L4LB_SAVE_H
#define L4LB_SAVE_H

#include <stdbool.h>

#include "core/err.h"

struct app;

#define SAVE_DIR      "/var/lib/l4lb"
#define SAVE_PATH_MAX 64

/* Called once: 0, or why it was not saved. */
typedef void save_done_fn(struct app *app, int ret, const struct err *why);

/* Zeroed: nothing is being saved. */
struct saver {
	bool runs;
	save_done_fn *done;
};

const char *save_path(const struct app *app, char path[SAVE_PATH_MAX]);

/* Begins. -EBUSY: it is being saved; -ENOMEM and others of fork(2). */
int save_begin(struct app *app, save_done_fn *done, struct err *err);

#endif
