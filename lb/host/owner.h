/* SPDX-License-Identifier: MIT */
/*
 * owner.h - the user that our files belong to
 *
 * l4lb starts as root and continues as another user (sandbox.h), who writes and
 * removes the files at the end. So that user gets the files that root creates,
 * and those that an earlier version left to root.
 */
#ifndef L4LB_OWNER_H
#define L4LB_OWNER_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

struct owner {
	uid_t uid;
	gid_t gid;
};

/*
 * True if the file is ours already. @owner NULL: only the current user counts
 * as us.
 */
bool owner_is(const struct stat *st, const struct owner *owner);

/*
 * Gives the open file or folder to @owner, if we are root and @owner is not
 * NULL. Refuses a file with a second name: whoever owns the folder could have
 * linked any file of root's there. Returns 0 or -errno; -EMLINK: it has a
 * second name.
 */
int owner_give(int fd, const struct owner *owner);

#endif
