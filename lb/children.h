/* SPDX-License-Identifier: MIT */
/*
 * children.h - processes that l4lb has started, and what to do when each ends
 *
 * Each is known by its pid: the end of one is never taken for that of another,
 * nor that of a process which whoever started l4lb had left to it.
 */
#ifndef L4LB_CHILDREN_H
#define L4LB_CHILDREN_H

#include <stdbool.h>
#include <sys/types.h>

#define CHILDREN_MAX 8 /* at the same time */

/* @status: as of waitpid(2). May start other children. */
typedef void child_ended_fn(void *arg, int status);

struct child {
	pid_t pid; /* 0: this place is free */
	child_ended_fn *ended;
	void *arg;
};

/* Zeroed: none. */
struct children {
	struct child list[CHILDREN_MAX];
};

/*
 * fork(): returns 0 in the child, which has the signals as a new program wants
 * them (none blocked, none ignored), no descriptor above stderr, so that it
 * keeps none of our locks, and dies with us. In the parent the pid, or -errno;
 * -EAGAIN if there are CHILDREN_MAX.
 */
pid_t children_fork(struct children *c, child_ended_fn *ended, void *arg);

/* The same for one that was started otherwise. False: there are too many. */
bool children_add(struct children *c, pid_t pid, child_ended_fn *ended,
		  void *arg);

/* Call it at SIGCHLD. */
void children_reap(struct children *c);

/*
 * What "failed" means for a child whose status of exit is an errno: a text for
 * the log, or NULL if it has done its work.
 */
const char *child_failure(int status);

#endif
