/* SPDX-License-Identifier: MIT */
/*
 * state_name.h - the state file in its folder: whose it is, and who uses it
 *
 * Root trusts nothing there (design rule 14): no links, no second names, no
 * file that another user could have written, and none that l4lb has not.
 */
#ifndef L4LB_STATE_NAME_H
#define L4LB_STATE_NAME_H

#include <sys/stat.h>

#include "core/err.h"
#include "host/owner.h"

struct state_name {
	const char *path;
	const struct owner *owner; /* who will own the file, or NULL */
};

/*
 * Opens and locks the existing file that the name stands for, if no other user
 * could have written it. *fd is -1 without one. If @why is set then, another
 * user could have: move that file away, do not overwrite it. Errors as of
 * state_open(); @err may be empty.
 */
int state_name_find(const struct state_name *n, int *fd, struct stat *st,
		    struct err *why, struct err *err);

/*
 * Creates and locks @path, a file beside the named one, and their folder if it
 * does not exist. Returns its descriptor, or -errno.
 */
int state_name_create(const struct state_name *n, const char *path,
		      struct err *err);

/* -EEXIST: there is a file of that name that l4lb has not written. */
int state_name_check(const char *path, struct err *err);

/* Says that the file cannot be created, and returns @ret. */
int state_name_explain(const struct state_name *n, int ret, struct err *err);

#endif
