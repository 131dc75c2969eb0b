/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/config_file.h"

#define FILE_MAX     (1u << 20) /* bytes; 8 times the largest sensible file */
#define FILE_WAIT_MS 5000	/* for each part of what a pipe delivers */

static int cannot_read(const char *path, int errnum, struct err *err)
{
	bool here = errnum == EACCES || errnum == EPERM || errnum == EIO ||
		    errnum == ETIMEDOUT;

	if (errnum == ETIMEDOUT)
		return err_set(err, -EIO,
			       "%.160s: nothing came out of it for %d s: does "
			       "anybody write to it?",
			       path, FILE_WAIT_MS / 1000);

	/* A wrong name is the user's mistake; other errors are this host's. */
	return err_set(err, here ? (errnum == EIO ? -EIO : -EACCES) : -errnum,
		       "%.160s: cannot read the configuration: %s", path,
		       strerror(errnum));
}

/*
 * Reads at most FILE_MAX + 1 bytes; if it reads the last one, the file is too
 * large. A FIFO may have no writer, or a silent one, so there is a timeout.
 */
static ssize_t read_whole(int fd, char *text)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	size_t len = 0;

	while (len < FILE_MAX + 1) {
		int ready = poll(&wait, 1, FILE_WAIT_MS);
		ssize_t n;

		if (ready == 0)
			errno = ETIMEDOUT;
		if (ready == -1 && errno == EINTR)
			continue;
		if (ready < 1)
			return -1;
		n = read(fd, text + len, FILE_MAX + 1 - len);
		if (n == -1 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n == -1)
			return -1;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

static int check_is_text(const char *path, const char *text, size_t len,
			 struct err *err)
{
	const char *nul = memchr(text, 0, len);
	unsigned line = 1;

	if (len > FILE_MAX)
		return err_set(err, -EINVAL,
			       "%.160s: larger than %u bytes: not a "
			       "configuration",
			       path, FILE_MAX);
	if (!nul)
		return 0;
	for (const char *c = text; c < nul; c++)
		line += *c == '\n';
	return err_set(err, -EINVAL,
		       "%.160s:%u: a NUL byte; expected plain text (save it "
		       "as UTF-8, not as UTF-16)",
		       path, line);
}

/* Accepts a file, and the pipe of a shell's <(COMMAND); no endless source. */
static int check_has_end(int fd, const char *path, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return cannot_read(path, errno, err);
	if (S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode))
		return 0;
	if (S_ISDIR(st.st_mode))
		return cannot_read(path, EISDIR, err);
	return err_set(err, -EINVAL,
		       "%.160s: it is a %s, not a configuration; expected a "
		       "file",
		       path, isatty(fd) ? "terminal" : "device");
}

/*
 * A pipe can be read only once, but the configuration is read again until its
 * host names are known. So the text is kept.
 */
static struct {
	char *path, *text; /* NULL: nothing is kept */
	bool pipe;
} kept;

static int keep(const char *path, const char *text, bool pipe, struct err *err)
{
	free(kept.path);
	free(kept.text);
	kept.path = strdup(path);
	kept.text = strdup(text);
	kept.pipe = pipe;
	return kept.path && kept.text ? 0
				      : err_set(err, -ENOMEM, "out of memory");
}

static int keep_piped(int fd, const char *path, const char *text,
		      struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) == -1 || !S_ISFIFO(st.st_mode))
		return 0;
	return keep(path, text, true, err);
}

static int load_again(char **text, struct err *err)
{
	*text = strdup(kept.text);
	return *text ? 0 : err_set(err, -ENOMEM, "out of memory");
}

static bool is_kept(const char *path)
{
	return kept.path && strcmp(kept.path, path) == 0;
}

bool config_file_was_pipe(const char *path)
{
	return is_kept(path) && kept.pipe;
}

int config_file_keep(const char *path, struct err *err)
{
	char *text = NULL;
	int ret = config_file_load(path, &text, err);

	if (!ret && !is_kept(path))
		ret = keep(path, text, false, err);
	free(text);
	return ret;
}

int config_file_load(const char *path, char **text, struct err *err)
{
	char *buffer = NULL;
	ssize_t len;
	int fd, ret;

	if (is_kept(path))
		return load_again(text, err);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd == -1)
		return cannot_read(path, errno, err);
	ret = check_has_end(fd, path, err);
	if (ret)
		goto out;
	buffer = malloc(FILE_MAX + 2);
	if (!buffer) {
		ret = err_set(err, -ENOMEM, "out of memory");
		goto out;
	}
	len = read_whole(fd, buffer);
	if (len == -1) {
		ret = cannot_read(path, errno, err);
		goto out;
	}
	ret = check_is_text(path, buffer, (size_t)len, err);
	buffer[len] = 0;
	if (ret == 0)
		ret = keep_piped(fd, path, buffer, err);
	if (ret == 0) {
		*text = buffer;
		buffer = NULL;
	}
out:
	free(buffer);
	close(fd);
	return ret;
}
