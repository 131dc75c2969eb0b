/* SPDX-License-Identifier: MIT */
/*
 * owner.h - whose our files are
 *
 * l4lb starts as root and goes on as another user (sandbox.h), who writes the
 * files at the end and removes them. So that user is given what root makes, and
 * what an earlier version left to root.
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

/* Is it ours already? @owner may be NULL: then only the one we are counts. */
bool owner_is(const struct stat *st, const struct owner *owner);

/*
 * Gives the open file or folder to @owner, if we are root and it is not NULL.
 * A file that has a second name is not: it could be anything of root's, put
 * there by whoever owns the folder. 0 or -errno; -EMLINK: a second name.
 */
int owner_give(int fd, const struct owner *owner);

#endif
