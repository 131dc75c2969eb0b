/* SPDX-License-Identifier: MIT */
/*
 * api_start.h - l4lb-api, the child by which people and programs reach l4lb
 *
 * It is started before privileges are given up, and gets what
 * board/handover.h says. It restarts itself when it dies: l4lb cannot, later.
 * Without it l4lb does all the same; the log says so once.
 */
#ifndef L4LB_API_START_H
#define L4LB_API_START_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/err.h"
#include "host/sandbox.h"

struct app;

#define API_CHANNELS	 2 /* questions; changes */
#define API_PROGRAM_SIZE 4096

/* Zeroed and not started: there is no such child. */
struct api_child {
	char program[API_PROGRAM_SIZE]; /* "": there is none to start */
	struct user user;		/* whom it becomes */
	int tcp;			/* until it is handed over; or -1 */
	bool made_socket;		/* to be removed at the end */
	/* Our ends; the channel (channel.h) takes them. -1: none. */
	int channels[API_CHANNELS];
	pid_t pid; /* 0: it is gone */
};

/*
 * Something that concerns the API alone has failed, as @ret and @err say. A new
 * start fails with it, and returns @ret. One that goes on with connections does
 * without, after a warning, and gets 0.
 */
int api_trouble(const struct app *app, int ret, struct err *err);

/* Finds the program; false: there is none, and that was logged. */
bool api_find_program(struct app *app);

#endif
