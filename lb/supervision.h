/* SPDX-License-Identifier: MIT */
/*
 * supervision.h - what systemd is told of this balancer, see notify.h
 */
#ifndef L4LB_SUPERVISION_H
#define L4LB_SUPERVISION_H

#include <stdint.h>

#include "notify.h"

struct app;

/* Zeroed: nobody supervises us. */
struct supervision {
	struct notify notify;
	uint64_t looked_ns; /* when the status was last made */
	/* Why the last reload changed nothing; empty: it did, or none was. */
	char refused[NOTIFY_STATUS_MAX / 2];
};

/* Before anything is started, and in the process that systemd knows. */
void supervision_open(struct app *app);
void supervision_close(struct app *app);

/* The start is made: packets are balanced. */
void supervision_ready(struct app *app);

/*
 * A reload begins, and ends. @why: nothing was changed, as this says; NULL: all
 * was. Each begin needs an end, else systemd waits for it.
 */
void supervision_reload_begins(struct app *app);
void supervision_reload_ends(struct app *app, const char *why);

void supervision_stopping(struct app *app);

/*
 * Each turn: shows that the loop runs, and how the service is. Returns when it
 * wants to be called again.
 */
uint64_t supervision_turn(struct app *app);

#endif
