/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "host/down.h"
#include "host/guard.h"
#include "host/instance.h"
#include "host/reserve.h"

/* A start takes its flow table before its ports. */
static int remove_file(const char *name, const char *suffix, struct err *err)
{
	char path[sizeof(INSTANCE_DIR) + INSTANCE_NAME_MAX + 8];
	int fd, ret = 0;

	snprintf(path, sizeof(path), INSTANCE_DIR "/%s%s", name, suffix);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (fd != -1 && flock(fd, LOCK_EX | LOCK_NB) == -1)
		ret = err_set(err, -EADDRINUSE, "%s: an l4lb uses it", path);
	else if (unlink(path) == -1 && errno != ENOENT)
		ret = err_set(err, -errno, "cannot remove %s: %s", path,
			      strerror(errno));
	if (fd != -1)
		close(fd);
	return ret;
}

/* A kernel without nf_tables has no table of ours. */
static int remove_guard(const char *name, struct err *err)
{
	const int ret = guard_down(name, err);

	return ret == -EOPNOTSUPP ? 0 : ret;
}

int down_instance(const char *name, struct err *err)
{
	const int dir = instances_lock(NULL, err);
	int fd, ret;

	if (dir < 0)
		return dir;
	ret = instance_claim(name, NULL, "", &fd, err);
	if (!ret)
		ret = remove_file(name, ".flows", err);
	if (!ret)
		ret = remove_file(name, ".control", err);
	if (!ret)
		ret = remove_file(name, ".sock", err);
	if (!ret)
		ret = remove_file(name, ".changes", err);
	if (!ret)
		ret = remove_guard(name, err);
	if (!ret)
		ret = reserve_clear(name, err);
	if (fd != -1)
		close(fd);
	close(dir);
	return ret;
}
