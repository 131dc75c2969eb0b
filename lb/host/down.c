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
	int fd, code = 0;

	snprintf(path, sizeof(path), INSTANCE_DIR "/%s%s", name, suffix);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (fd != -1 && flock(fd, LOCK_EX | LOCK_NB) == -1)
		code = err_set(err, -EADDRINUSE, "%s: an l4lb uses it", path);
	else if (unlink(path) == -1 && errno != ENOENT)
		code = err_set(err, -errno, "cannot remove %s: %s", path,
			       strerror(errno));
	if (fd != -1)
		close(fd);
	return code;
}

/* A kernel without nf_tables has no table of ours. */
static int remove_guard(const char *name, struct err *err)
{
	const int code = guard_down(name, err);

	return code == -EOPNOTSUPP ? 0 : code;
}

int down_instance(const char *name, struct err *err)
{
	const int dir = instances_lock(NULL, err);
	int fd, code;

	if (dir < 0)
		return dir;
	code = instance_claim(name, NULL, &fd, err);
	if (!code)
		code = remove_file(name, ".flows", err);
	if (!code)
		code = remove_file(name, ".sock", err);
	if (!code)
		code = remove_guard(name, err);
	if (!code)
		code = reserve_clear(name, err);
	if (fd != -1)
		close(fd);
	close(dir);
	return code;
}
