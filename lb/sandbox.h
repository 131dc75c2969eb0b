/* SPDX-License-Identifier: MIT */
/*
 * sandbox.h - what is left of root once l4lb runs (design rule 14)
 *
 * Opening sockets, binding a low port and making files in /run is done as
 * root. From then on packets from anybody are looked at: by a user that owns
 * nothing else, with two capabilities, none to gain, and a list of system
 * calls.
 */
#ifndef L4LB_SANDBOX_H
#define L4LB_SANDBOX_H

#include <stdbool.h>

#include "core/err.h"
#include "io/owner.h"

#define SANDBOX_USER	 "l4lb" /* what `auto` looks for */
#define SANDBOX_AUTO	 "auto"
#define SANDBOX_NAME_MAX 33

/* Uids that systemd hands out to services (DynamicUser=) and nobody owns. */
#define SANDBOX_UID_LO 61184u
#define SANDBOX_UID_HI 65519u

/* Whom to become. */
struct user {
	struct owner owner; /* the one we are, where we stay */
	bool change;
	char name[SANDBOX_NAME_MAX]; /* "" where it has none */
	const char *stays;	     /* why not another, or NULL */
};

/*
 * @wanted: a name; or "auto": the user l4lb, or else a uid that nobody has, the
 * same at each start. Who is not root stays who that is, and so does a root
 * that may not change (a user namespace with no other uid). -EPERM where a
 * name was given and it cannot be that one; -ENOENT: there is none of it.
 */
int sandbox_user(struct user *out, const char *wanted, struct err *err);

/* For good: that user, two capabilities, none to gain. */
int sandbox_become(const struct user *user, struct err *err);

/*
 * For good, too, once all is opened: libraries load others when they are first
 * used (libpcap those of RDMA devices), which the list does not allow. @filter:
 * whether it is wanted; *filtered is NULL, or why there is none.
 */
int sandbox_filter(bool filter, const char **filtered, struct err *err);

#endif
