/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/files.h"
#include "host/state_file.h"

/* Copies the part before the last slash. */
static void folder_of(const char *path, char folder[CONFIG_PATH_MAX])
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		strcpy(folder, ".");
	else if (slash == path)
		strcpy(folder, "/");
	else
		snprintf(folder, CONFIG_PATH_MAX, "%.*s", (int)(slash - path),
			 path);
}

/* Returns @ret if root would get the same error, else 0. */
static int as_root(int ret)
{
	return ret == -EACCES && geteuid() != 0 ? 0 : ret;
}

/*
 * Checks whether a file can be created in @folder. Up to @depth missing folders
 * are created with it.
 */
static int check_folder(const char *folder, int depth)
{
	char above[CONFIG_PATH_MAX];
	struct stat st;

	if (stat(folder, &st) == 0)
		return !S_ISDIR(st.st_mode)	     ? -ENOTDIR
		       : access(folder, W_OK | X_OK) ? -errno
						     : 0;
	if (errno != ENOENT || depth == 0)
		return -errno;
	folder_of(folder, above);
	return check_folder(above, depth - 1);
}

static bool is_foreign(const char *path)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool foreign = fd != -1 && state_file_is_foreign(fd);

	if (fd != -1)
		close(fd);
	return foreign;
}

static int check_file(const char *option, const char *path, mode_t type,
		      const char *or_none, struct err *err)
{
	char folder[CONFIG_PATH_MAX];
	struct stat st;
	int ret;

	if (!*path)
		return 0;
	if (lstat(path, &st) == 0 && (st.st_mode & S_IFMT) != type &&
	    !S_ISLNK(st.st_mode))
		return err_set(err, -EEXIST,
			       "--%s %s: there is something else of that name, "
			       "which is no %s; choose another path%s",
			       option, path,
			       type == S_IFSOCK ? "socket" : "plain file",
			       or_none);
	if (type == S_IFREG && is_foreign(path))
		return err_set(err, -EEXIST,
			       "--%s %s: there is a file of that name that "
			       "l4lb has not written; choose another path%s",
			       option, path, or_none);
	folder_of(path, folder);
	ret = as_root(check_folder(folder, type == S_IFREG ? 1 : 0));
	if (ret)
		return err_set(err, ret,
			       "--%s %s: cannot be made in %s: %s; choose "
			       "another path%s",
			       option, path, folder, strerror(-ret), or_none);
	return 0;
}

int files_check(const struct config *c, struct err *err)
{
	int ret = check_file("state", c->state, S_IFREG, ", or none", err);

	/* The default's folder is the records' folder, created with them. */
	if (!ret && strncmp(c->control, "/run/l4lb/", 10) != 0)
		ret = check_file("control", c->control, S_IFSOCK, "", err);
	return ret;
}
