/* SPDX-License-Identifier: MIT */
/* spawn.h - starts another program with descriptors that are chosen for it */
#ifndef L4LB_SPAWN_H
#define L4LB_SPAWN_H

#include <sys/types.h>

struct spawn {
	const char *path;
	char *const *argv, *const *env; /* each ends with NULL */
	/*
	 * Place i has what becomes descriptor i; -1: none. The first three are
	 * not looked at: input and output are /dev/null, errors go where ours
	 * do. All of them are moved, so that each is beyond @n; they stay the
	 * caller's.
	 */
	int *fds;
	int n;
};

/*
 * The program has signals as a new one wants them: none is blocked or ignored.
 * All other descriptors of ours must be close-on-exec. Returns 0 or -errno.
 */
int spawn_program(const struct spawn *spawn, pid_t *pid);

#endif
