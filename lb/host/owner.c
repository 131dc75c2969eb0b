/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <unistd.h>

#include "host/owner.h"

bool owner_is(const struct stat *st, const struct owner *owner)
{
	return st->st_uid == geteuid() || (owner && st->st_uid == owner->uid);
}

int owner_give(int fd, const struct owner *owner)
{
	struct stat st;

	if (!owner || geteuid() != 0)
		return 0;
	if (fstat(fd, &st) == -1)
		return -errno;
	if (st.st_uid == owner->uid && st.st_gid == owner->gid)
		return 0;
	if (!S_ISDIR(st.st_mode) && st.st_nlink != 1)
		return -EMLINK;
	return fchown(fd, owner->uid, owner->gid) == -1 ? -errno : 0;
}
