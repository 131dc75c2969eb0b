/* SPDX-License-Identifier: MIT */
/*
 * listener.h - the sockets where l4lb-api is reached, made while we are root
 *
 * After a restart, the process that had them may still be there for a moment:
 * who holds the address is waited for. Both are non-blocking and close-on-exec.
 */
#ifndef L4LB_LISTENER_H
#define L4LB_LISTENER_H

#include "core/addr.h"
#include "core/err.h"
#include "host/owner.h"

#define LISTENER_PATIENCE_MS 2000 /* more than the old one needs to let go */

/*
 * Listens at @at. If that is no address of this host, it may become one later.
 * -EADDRINUSE: somebody else listens there all the time. Others as of bind(2).
 */
int listener_tcp(int *fd, const struct endpoint *at, struct err *err);

/*
 * Listens at @path, with mode 0600, as @owner. A socket of a dead process is
 * replaced; with @ours that of a living one, too, as nobody else may have this
 * name. -EEXIST: there is something else of that name. -EADDRINUSE as above.
 */
int listener_local(int *fd, const char *path, const struct owner *owner,
		   bool ours, struct err *err);

#endif
