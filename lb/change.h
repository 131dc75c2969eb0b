/* SPDX-License-Identifier: MIT */
/*
 * change.h - the running balancer becomes what another configuration says
 *
 * A change is a copy of the running configuration to which commands are
 * applied. The difference, slot by slot, is carried out as one transaction:
 *
 *   prepare  what can fail, a bounded piece of it in each turn of the loop, in
 *            an order in which no packet meets the host's kernel; undone in
 *            reverse if a step fails
 *   commit   between two batches of packets; cannot fail
 *   finish   what was removed goes when nothing needs it any more (departure.h)
 *
 * One change at a time, whoever asks for it.
 */
#ifndef L4LB_RUNNING_CHANGE_H
#define L4LB_RUNNING_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "control/config.h"
#include "control/text.h"
#include "core/err.h"
#include "overlay.h"

struct app;

/* Called once: 0, or what failed and why; then nothing has changed. */
typedef void change_done_fn(struct app *app, int ret, const struct err *why);

enum change_phase {
	CHANGE_NONE,
	CHANGE_OPEN, /* commands are applied to the copy */
	CHANGE_PREPARES,
	CHANGE_UNDOES,
	CHANGE_TELLS, /* committed, not all of it is in the log yet */
};

#define CHANGE_BY_MAX 64

struct change_step {
	uint8_t kind;
	uint8_t service;
	uint16_t backend;
};

/* Zeroed: nothing changes. */
struct change {
	enum change_phase phase;
	uint64_t generation; /* commits so far */
	struct config wanted;
	struct text lines; /* the difference, as commands */
	size_t told;	   /* of .lines */
	struct change_step *steps;
	unsigned n_steps, made;
	struct overlay_base *base; /* the new one after a reload, or NULL */
	change_done_fn *done;
	char by[CHANGE_BY_MAX]; /* who asked for it, for the journal; "": not
				   known */
	int ret;		/* why it is undone */
	struct err why;
};

/* Opens one. -EBUSY: there is one; -ENOMEM. */
int change_begin(struct app *app, struct err *err);

/* Applies one command to the copy. After an error that one has no effect. */
int change_apply(struct app *app, const char *line, struct err *err);

/*
 * Checks the whole. *lines, valid until the change ends: the commands that lead
 * from the running configuration to the wanted one, each with its line end.
 */
int change_check(struct app *app, const char **lines, struct err *err);

/*
 * Begins to carry it out. @done is called in this turn or a later one. @base:
 * NULL, or what the file says now; if the change succeeds it has been taken.
 */
void change_commit(struct app *app, struct overlay_base *base,
		   change_done_fn *done);

/* Ends an open change without effect. */
void change_abort(struct app *app);

/* At the end, whatever the phase is. */
void change_free(struct app *app);

/*
 * Call it in each turn of the loop. Returns when to call it again at the
 * latest; 0: at once, UINT64_MAX: nothing waits.
 */
uint64_t change_turn(struct app *app);

#endif
