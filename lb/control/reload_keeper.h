/* SPDX-License-Identifier: MIT */
/*
 * reload_keeper.h - the process that reads the configuration file again
 *
 * l4lb has given up the right to read it, and must not wait for a disk or a
 * name server. So a small process is made early in the start, which keeps that
 * right and does nothing but wait. For each request it makes a child, which
 * reads the file, becomes l4lb's user without any capability, and only then
 * looks at what the request and the file say.
 *
 * It calls itself l4lb-plan, has no descriptor but its socket, and ends when
 * the other end of that is closed, however that happens. The signals that
 * l4lb understands do nothing to it, as pkill and pidof find it, too.
 */
#ifndef L4LB_RELOAD_KEEPER_H
#define L4LB_RELOAD_KEEPER_H

#include <sys/types.h>

#include "core/err.h"
#include "host/sandbox.h"

struct keeper_spec {
	int argc; /* those of the start */
	char **argv;
	const char *path; /* the file among them */
	const char *name; /* of the instance */
	const struct user *user;
};

/* *@fd: the socket, non-blocking. */
int keeper_start(const struct keeper_spec *spec, pid_t *pid, int *fd,
		 struct err *err);

#endif
