/* SPDX-License-Identifier: MIT */
/*
 * reloading.h - the file is read again, and what it says now is carried out
 *
 * The planner (planner.h) reads it and answers with commands. They are a change
 * like any other: all or nothing. If somebody else has changed something while
 * the planner worked, it is asked again.
 */
#ifndef L4LB_RELOADING_H
#define L4LB_RELOADING_H

#include <stdbool.h>
#include <stdint.h>

#include "channel.h"
#include "control/reload_client.h"
#include "host/command_socket.h"
#include "overlay.h"

struct app;

enum reload_phase {
	RELOAD_NONE,
	RELOAD_WAITS,	/* for the end of another change */
	RELOAD_ASKS,	/* the planner works */
	RELOAD_APPLIES, /* its commands, some in each turn */
	RELOAD_ENTERS,	/* the change is carried out */
};

/* Zeroed: nothing is reloaded. */
struct reloading {
	enum reload_phase phase;
	bool again; /* SIGHUP came meanwhile: once more after this one */
	bool reset, dry;
	bool announced;		 /* systemd waits for its end */
	struct asker who;	 /* .number 0: SIGHUP */
	char by[CHANNEL_BY_MAX]; /* the same, in words */
	uint64_t generation;	 /* what the planner was told to run */
	unsigned tries;
	struct plan_result *result;
	const char *change, *base; /* the next lines of .result */
	struct overlay_base read;  /* the file as it is now */
};

/* SIGHUP. */
void reload_by_signal(struct app *app);

/* A command. Its reply comes when it is done. */
void reload_by_command(struct app *app, const struct asker *who, bool reset,
		       bool dry);

/* Call it when planner_fd() is ready. */
void reload_read(struct app *app);

/* Call it in each turn; when to call it again at the latest. */
uint64_t reload_turn(struct app *app);

/* At the end. */
void reloading_free(struct app *app);

#endif
