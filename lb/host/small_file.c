/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/small_file.h"

static int explain(struct err *err, int ret, const char *verb, const char *path)
{
	return err_set(err, ret, "cannot %s %s: %s", verb, path,
		       strerror(-ret));
}

static int examine(const char *path, const struct stat *st,
		   const struct owner *owner, struct err *err)
{
	if (!S_ISREG(st->st_mode) || st->st_nlink != 1)
		return err_set(err, -EINVAL, "%s is no plain file", path);
	if (!owner_is(st, owner) && st->st_uid != 0)
		return err_set(err, -EINVAL, "%s belongs to uid %u", path,
			       (unsigned)st->st_uid);
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return err_set(err, -EINVAL,
			       "%s: others may write to it, its mode is %04o",
			       path, (unsigned)st->st_mode & 07777);
	if (st->st_size > (off_t)SMALL_FILE_MAX)
		return err_set(err, -EINVAL,
			       "%s has %jd bytes, %u are the most", path,
			       (intmax_t)st->st_size, SMALL_FILE_MAX);
	return 0;
}

static int read_all(int fd, const char *path, size_t size, char **text,
		    struct err *err)
{
	char *bytes = malloc(size + 1);
	size_t n = 0;
	ssize_t more = 1;

	if (!bytes)
		return err_set(err, -ENOMEM, "out of memory");
	while (n < size && more > 0) {
		more = read(fd, bytes + n, size - n);
		if (more > 0)
			n += (size_t)more;
	}
	bytes[n] = '\0';
	if (more < 0 || strlen(bytes) != n) {
		const int ret = more < 0 ? -errno : -EINVAL;

		free(bytes);
		return ret == -EINVAL ? err_set(err, ret, "%s is no text", path)
				      : explain(err, ret, "read", path);
	}
	*text = bytes;
	return 0;
}

int small_file_read(const char *path, const struct owner *owner, char **text,
		    struct err *err)
{
	const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	const int fd = open(path, flags);
	struct stat st;
	int ret;

	*text = NULL;
	if (fd == -1 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd == -1 && errno == ELOOP)
		return err_set(err, -EINVAL, "%s is a symbolic link", path);
	if (fd == -1)
		return explain(err, -errno, "read", path);
	ret = fstat(fd, &st) ? explain(err, -errno, "read", path)
			     : examine(path, &st, owner, err);
	if (!ret)
		ret = read_all(fd, path, (size_t)st.st_size, text, err);
	close(fd);
	return ret;
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		const ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The new name in its folder, too. */
static int sync_folder(const char *path)
{
	char folder[PATH_MAX];
	const char *end = strrchr(path, '/');
	int fd, ret;

	if (!end || (size_t)(end - path) + 2 > sizeof(folder))
		return 0;
	snprintf(folder, sizeof(folder), "%.*s", (int)(end - path) + 1, path);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return -errno;
	ret = fsync(fd) ? -errno : 0;
	close(fd);
	return ret;
}

int small_file_write(const char *path, const char *text, size_t len,
		     bool durable, struct err *err)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	char new[PATH_MAX];
	int fd, ret;

	if (snprintf(new, sizeof(new), "%s.new", path) >= (int)sizeof(new))
		return explain(err, -ENAMETOOLONG, "write", path);
	(void)unlink(new); /* left by a process that died here */
	fd = open(new, flags, 0600);
	if (fd == -1)
		return explain(err, -errno, "write", path);
	ret = write_all(fd, text, len);
	if (!ret && durable && fsync(fd))
		ret = -errno;
	if (close(fd) && !ret)
		ret = -errno;
	if (!ret && rename(new, path))
		ret = -errno;
	if (ret)
		(void)unlink(new);
	else if (durable)
		ret = sync_folder(path);
	return ret ? explain(err, ret, "write", path) : 0;
}

int small_file_move_aside(const char *path)
{
	char aside[PATH_MAX];

	if (snprintf(aside, sizeof(aside), "%s" SMALL_FILE_ASIDE, path) >=
	    (int)sizeof(aside))
		return -ENAMETOOLONG;
	return rename(path, aside) ? -errno : 0;
}
