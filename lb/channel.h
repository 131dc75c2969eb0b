/* SPDX-License-Identifier: MIT */
/*
 * channel.h - what is asked by the control channel, and answered
 *
 * docs/commands.md defines the commands. One is taken in each turn of the loop,
 * after the packets. Those that change something are given to change.h; a
 * single one is a change of its own, those between `begin` and `commit` are one
 * together. A reply that is long, or needs several turns, is continued in the
 * next ones.
 */
#ifndef L4LB_CHANNEL_H
#define L4LB_CHANNEL_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/command_socket.h"

struct app;

#define CHANNEL_FDS COMMAND_FDS
/* A change that was begun keeps all others out, at most so long. */
#define CHANNEL_IDLE_MAX_S 2
#define CHANNEL_OPEN_MAX_S 10

#define CHANNEL_BY_MAX 64 /* bytes of who gives a command, with the final 0 */

/* Something that is answered in parts. */
struct channel_job {
	/* Answers the next part; false: that was the last. NULL: no job. */
	bool (*part)(struct app *app, struct channel_job *job);
	struct asker who;
	uint64_t generation;	     /* of the configuration when it began */
	const struct config *config; /* of `show` */
	unsigned service, backend;
	uint32_t index;
	uint64_t id;
	char by[CHANNEL_BY_MAX];
};

/* Zeroed: closed. */
struct channel {
	struct command_socket *socket;
	char by[CHANNEL_BY_MAX]; /* who gives the command that is read now */
	struct asker changes;	 /* whose change is open or is being made */
	uint64_t begun_ns;
	uint64_t touched_ns; /* its last command */
	bool begun;	     /* by `begin` */
	int refused;	     /* a command of it was; then all of it is */
	struct err why;
	struct asker saves; /* who waits for it */
	char saves_by[CHANNEL_BY_MAX], stops_by[CHANNEL_BY_MAX];
	struct channel_job jobs[COMMAND_CONNECTIONS];
};

void channel_poll(const struct app *app, struct pollfd *fds);

/* Call it in each turn, after the packets were read. */
void channel_read(struct app *app, const struct pollfd *fds);

/* When to call again at the latest, as change_turn(). */
uint64_t channel_turn(struct app *app);

#endif
