/* SPDX-License-Identifier: MIT */
/*
 * find.h - the socket of a balancer that runs on this host
 */
#ifndef L4LBCTL_FIND_H
#define L4LBCTL_FIND_H

#include <sys/un.h>

#include "core/err.h"

#define FIND_DIR      "/run/l4lb"
#define FIND_PATH_MAX sizeof(((struct sockaddr_un *)0)->sun_path)

/*
 * Writes the path of the socket into @path. @name: of the instance; NULL: the
 * only one in @dir that answers. Returns an enum ctl_exit: CTL_USAGE if there
 * are several, CTL_NOBODY if none, CTL_REFUSED if this user may not ask.
 */
int find_instance(const char *dir, const char *name, char path[FIND_PATH_MAX],
		  struct err *err);

#endif
