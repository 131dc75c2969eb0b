/* SPDX-License-Identifier: MIT */
/*
 * reload_client.h - asks the planner, never waits for it
 */
#ifndef L4LB_RELOAD_CLIENT_H
#define L4LB_RELOAD_CLIENT_H

#include <poll.h>

#include "control/reload.h"
#include "control/reload_keeper.h"

/* What the planner has said: lines, as reload.h names them. */
struct plan_result {
	bool dry;    /* as asked */
	bool failed; /* .sentence says why; nothing is to be changed */
	char sentence[ERR_TEXT_MAX];
	struct text change, base, kept, restart, warn;
};

struct reload_client {
	pid_t pid;	   /* of the keeper; 0: there is none */
	int fd;		   /* -1: there is none */
	bool waiting;	   /* for an answer, .result */
	uint64_t asked;	   /* number of the last request */
	uint64_t answered; /* that of the answer whose lines come; 0: ours */
	/* Written in parts, one in a turn: until then, copies of what runs. */
	struct config running, base;
	bool asking;
	unsigned part;
	struct text out;
	size_t sent; /* of .out */
	size_t got;  /* bytes of the answer so far */
	size_t len;  /* of .line */
	char line[RELOAD_LINE_MAX + ERR_TEXT_MAX];
	struct plan_result *result;
};

/* Zeroed and .fd = -1: there is no planner. */
int reload_client_start(struct reload_client *c, const struct keeper_spec *spec,
			struct err *err);
/* Ends the planner, too. */
void reload_client_stop(struct reload_client *c);

/*
 * -EBUSY: an answer is awaited already. -EPIPE: the planner is gone. -ENOMEM.
 */
int reload_client_ask(struct reload_client *c, const struct config *running,
		      const struct config *base, bool reset, bool dry,
		      struct err *err);

/* What to wait for with poll(). */
short reload_client_events(const struct reload_client *c);

/*
 * Sends and takes what is possible now, a bounded part. Returns the answer when
 * it is complete, for the caller to free; else NULL. *@gone: the planner has
 * ended; if an answer was awaited, it is one that has failed.
 */
struct plan_result *reload_client_run(struct reload_client *c, bool *gone);

void plan_result_free(struct plan_result *r);

#endif
