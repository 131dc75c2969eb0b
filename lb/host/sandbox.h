/* SPDX-License-Identifier: MIT */
/*
 * sandbox.h - gives up root once l4lb runs (design rule 14)
 *
 * Root opens the sockets, binds low ports and creates files in /run. After that
 * l4lb handles packets from anybody, as a user that owns nothing else, with
 * three capabilities, no way to gain others, and a short list of system calls.
 */
#ifndef L4LB_SANDBOX_H
#define L4LB_SANDBOX_H

#include <stdbool.h>

#include "core/err.h"
#include "host/owner.h"

#define SANDBOX_USER	 "l4lb" /* the user that `auto` looks for */
#define SANDBOX_API_USER "l4lb-api"
#define SANDBOX_AUTO	 "auto"
#define SANDBOX_NAME_MAX 33

/* Uids that systemd gives to services (DynamicUser=); no account has them. */
#define SANDBOX_UID_LO 61184u
#define SANDBOX_UID_HI 65519u

/* The user to become. */
struct user {
	struct owner owner; /* the current user if it stays */
	bool change;
	char name[SANDBOX_NAME_MAX]; /* "" if the user has none */
	const char *stays;	     /* why the user stays the same, or NULL */
};

/*
 * @wanted: a user's name; or "auto": the user l4lb, or else a uid that nobody
 * has, the same at each start. Without root the user stays the same, also for a
 * root that cannot change (a user namespace with one uid). -EPERM: a name was
 * given and l4lb cannot become that user. -ENOENT: there is no such user.
 */
int sandbox_user(struct user *out, const char *wanted, struct err *err);

/*
 * The user of l4lb-api, which we start: its own, else a uid that nobody has and
 * that is not ours. Where another user is not possible, it has ours, and .stays
 * says why.
 */
void sandbox_api_user(struct user *out);

/*
 * Cannot be undone: becomes that user, with CAP_NET_RAW, CAP_NET_ADMIN and, if
 * it is there, CAP_NET_BIND_SERVICE, and no way to gain others.
 */
int sandbox_become(const struct user *user, struct err *err);

/* True if services below port 1024 can be bound: CAP_NET_BIND_SERVICE. */
bool sandbox_has_low_ports(void);

/*
 * Cannot be undone. Call it after everything is opened: libraries load others
 * at their first use (libpcap those of RDMA devices), which the filter forbids.
 * @filter: whether it is wanted. *filtered: NULL, or the reason why there is
 * none.
 */
int sandbox_filter(bool filter, const char **filtered, struct err *err);

#endif
