/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "host/instance.h"
#include "host/state_file.h"
#include "host/state_name.h"

/* Returns false and sets @why if another user could have written the file. */
static bool is_trusted(const struct state_name *n, const struct stat *st,
		       struct err *why)
{
	if (S_ISLNK(st->st_mode))
		err_set(why, 0, "it is a symbolic link");
	else if (st->st_nlink != 1)
		err_set(why, 0, "it has %ju names (hard links)",
			(uintmax_t)st->st_nlink);
	else if (!owner_is(st, n->owner))
		err_set(why, 0, "it belongs to uid %u", (unsigned)st->st_uid);
	else if (st->st_mode & (S_IWGRP | S_IWOTH))
		err_set(why, 0, "others may write to it, its mode is %04o",
			(unsigned)st->st_mode & 07777);
	else
		return true;
	return false;
}

static int refuse_locked(const struct state_name *n, int fd, struct err *err)
{
	struct state_header h = {.pid = 0};
	char who[32] = "";

	if (pread(fd, &h, sizeof(h), 0) == sizeof(h) &&
	    memcmp(h.magic, STATE_MAGIC, sizeof(h.magic)) == 0 && h.pid)
		snprintf(who, sizeof(who), " (pid %u)", h.pid);
	return err_set(err, -EADDRINUSE,
		       "state file %s: an l4lb%s is running with it; stop that "
		       "one, or choose another --name or --state",
		       n->path, who);
}

/* True if the file has content that l4lb did not write: do not touch it. */
static bool is_foreign(const char *path)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool foreign = fd != -1 && state_file_is_foreign(fd);

	if (fd != -1)
		close(fd);
	return foreign;
}

int state_name_check(const char *path, struct err *err)
{
	if (!is_foreign(path))
		return 0;
	return err_set(err, -EEXIST,
		       "state file %s: there is a file of that name that l4lb "
		       "has not written; choose another --state, or none, or "
		       "move it away",
		       path);
}

/* Was the file replaced meanwhile, or by one with other rights? */
static bool is_still_it(const struct state_name *n, int fd, struct stat *st,
			struct err *why)
{
	struct stat named;

	return fstat(fd, st) == 0 && lstat(n->path, &named) == 0 &&
	       st->st_ino == named.st_ino && st->st_dev == named.st_dev &&
	       S_ISREG(st->st_mode) && is_trusted(n, st, why) &&
	       !state_file_is_foreign(fd);
}

int state_name_find(const struct state_name *n, int *out, struct stat *st,
		    struct err *why, struct err *err)
{
	int fd, ret;

	*out = -1;
	for (;;) {
		if (lstat(n->path, st) == -1)
			return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
		if (!S_ISREG(st->st_mode) && !S_ISLNK(st->st_mode))
			return err_set(err, -EINVAL,
				       "state file %s: there is something else "
				       "of that name, which is no file; choose "
				       "another --state, or none",
				       n->path);
		ret = state_name_check(n->path, err);
		if (ret)
			return ret;
		if (!is_trusted(n, st, why))
			return 0;
		fd = open(n->path,
			  O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (fd == -1 && errno == ENOENT)
			continue;
		if (fd == -1)
			return -errno;
		if (lock_wait(fd, LOCK_KILLED_MS)) {
			refuse_locked(n, fd, err);
			close(fd);
			return -EADDRINUSE;
		}
		if (is_still_it(n, fd, st, why)) {
			*out = fd;
			return owner_give(fd, n->owner);
		}
		close(fd);
		why->text[0] = 0;
	}
}

int state_name_explain(const struct state_name *n, int ret, struct err *err)
{
	return err_set(err, ret,
		       "state file %s: cannot create it: %s; choose another "
		       "--state, or none",
		       n->path, strerror(-ret));
}

static int make_folder(const struct state_name *n, const char *path,
		       struct err *err)
{
	char folder[PATH_MAX];
	const char *end = strrchr(path, '/');
	int fd;

	if (!end || end == path || end - path >= (int)sizeof(folder))
		return 0;
	snprintf(folder, sizeof(folder), "%.*s", (int)(end - path), path);
	if (mkdir(folder, 0700) == -1)
		return errno == EEXIST
			       ? 0
			       : err_set(err, -errno,
					 "state file %s: cannot make "
					 "its folder %s: %s; choose "
					 "another --state, or none",
					 n->path, folder, strerror(errno));
	/* On an error the next call fails too. */
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return 0;
	(void)owner_give(fd, n->owner);
	close(fd);
	return 0;
}

int state_name_create(const struct state_name *n, const char *path,
		      struct err *err)
{
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd, ret;

	ret = state_name_check(path, err);
	if (ret)
		return ret;
	(void)unlink(path); /* left by a process that died here */
	fd = open(path, flags, 0600);
	if (fd == -1 && errno == ENOENT) {
		ret = make_folder(n, path, err);
		if (ret)
			return ret;
		fd = open(path, flags, 0600);
	}
	if (fd == -1)
		return state_name_explain(n, -errno, err);
	ret = fchmod(fd, 0600) == -1 || flock(fd, LOCK_EX | LOCK_NB) == -1
		      ? -errno
		      : owner_give(fd, n->owner);
	if (ret) {
		ret = state_name_explain(n, ret, err);
		(void)unlink(path);
		close(fd);
		return ret;
	}
	return fd;
}
