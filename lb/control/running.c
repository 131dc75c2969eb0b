/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/command.h"
#include "control/diff.h"
#include "control/merge.h"
#include "control/overlay_text.h"
#include "control/running.h"

#define RUN_DIR	      "/run/l4lb/"
#define WAIT_S	      5
#define DATAGRAM_MAX  16384u
#define SHOWN_MAX     (16u << 20) /* bytes: several times the largest */
#define LEAVING_LINES "leaving "  /* of the overlay: about flows only */

static int cannot(const char *what, const char *path, int errnum,
		  struct err *err)
{
	const bool gone = errnum == ENOENT || errnum == ECONNREFUSED;
	const bool refused = errnum == EACCES || errnum == EPERM;

	return err_set(err,
		       gone	 ? -ESRCH
		       : refused ? -EACCES
				 : -EIO,
		       "%s %s: %s%s", what, path, strerror(errnum),
		       gone	 ? "; is the instance running? --name says "
				   "which"
		       : refused ? "; only root may ask what runs"
				 : "");
}

/* ------------------------------------------------------------- the overlay */

/* 0: there is none. 1: @text has it, without what is about flows. */
static int load_overlay(const char *path, struct text *text, struct err *err)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	int ret = 1;

	if (!file)
		return errno == ENOENT
			       ? 0
			       : cannot("cannot read", path, errno, err);
	while ((len = getline(&line, &size, file)) > 0)
		if (strncmp(line, LEAVING_LINES, strlen(LEAVING_LINES)) != 0)
			text_put(text, line, (size_t)len);
	if (ferror(file))
		ret = cannot("cannot read", path, EIO, err);
	else if (text->failed)
		ret = err_set(err, -ENOMEM, "out of memory");
	(void)fclose(file);
	free(line);
	return ret;
}

static int read_overlay(const struct config *c, struct config *base,
			struct config *running, struct err *err)
{
	char path[CONFIG_PATH_MAX];
	struct text text = {0};
	struct err reason;
	int ret;

	snprintf(path, sizeof(path), RUN_DIR "%s.changes", c->name);
	ret = load_overlay(path, &text, err);
	if (ret == 1 && overlay_parse(text_get(&text), base, running, &reason))
		ret = err_set(err, -EIO, "%s: %s", path, reason.text);
	text_free(&text);
	return ret;
}

/* ------------------------------------------------------------- the channel */

static int connect_to(const char *path, struct err *err)
{
	const struct timeval wait = {.tv_sec = WAIT_S};
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return cannot("socket", path, errno, err);
	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == -1) {
		const int errnum = errno;

		close(fd);
		return cannot("cannot ask", path, errnum, err);
	}
	return fd;
}

/* Takes datagrams until the one that ends the reply. */
static int take_reply(int fd, const char *path, struct text *lines,
		      struct err *err)
{
	static char bytes[DATAGRAM_MAX];

	for (;;) {
		ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return cannot("no answer from", path,
				      n == 0 ? ECONNRESET : ETIMEDOUT, err);
		if (bytes[0] == '+') {
			text_put(lines, bytes + 1, (size_t)n - 1);
			if (lines->failed || lines->len > SHOWN_MAX)
				return err_set(err, -ENOMEM, "out of memory");
			continue;
		}
		if (n >= 2 && memcmp(bytes, "ok", 2) == 0)
			return 0;
		return err_set(err, -EIO, "%s answered: %.*s", path,
			       n > 300 ? 300 : (int)n, bytes);
	}
}

static int load_lines(struct config *c, const char *lines, struct err *err)
{
	char line[COMMAND_MAX + 2];
	int ret = 0;

	while (!ret && text_next_line(&lines, line, sizeof(line)))
		if (*line)
			ret = command_load(c, line, err);
	return ret ? ret : command_check(c, err);
}

int running_parse(const char *lines, const char *name, struct config *out,
		  struct err *err)
{
	int ret = config_init(out, err);

	if (ret)
		return ret;
	snprintf(out->name, sizeof(out->name), "%s", name);
	ret = load_lines(out, lines, err);
	if (ret)
		config_free(out);
	return ret;
}

static int ask_channel(const struct config *c, struct config *running,
		       struct err *err)
{
	static const char show[] = "show";
	struct text lines = {0};
	struct err reason;
	int fd = connect_to(c->control, err), ret = 0;

	if (fd < 0)
		return fd;
	if (send(fd, show, strlen(show), MSG_NOSIGNAL) == -1)
		ret = cannot("cannot ask", c->control, errno, err);
	if (!ret)
		ret = take_reply(fd, c->control, &lines, err);
	close(fd);
	if (!ret && running_parse(text_get(&lines), c->name, running, &reason))
		ret = err_set(err, -EIO, "%s: %s", c->control, reason.text);
	text_free(&lines);
	return ret;
}

int running_read(const struct config *c, struct config *base,
		 struct config *running, struct err *err)
{
	int ret = read_overlay(c, base, running, err);

	if (ret)
		return ret < 0 ? ret : 0;
	/* Nothing was changed at run time: what runs is what the file said. */
	ret = ask_channel(c, running, err);
	if (ret)
		return ret;
	if (config_copy(base, running)) {
		config_free(base);
		config_free(running);
		return err_set(err, -ENOMEM, "out of memory");
	}
	return 0;
}

static void tell(const char *what, const struct text *lines)
{
	const char *rest = text_get(lines);
	char line[1024];

	while (text_next_line(&rest, line, sizeof(line)))
		fprintf(stderr, "l4lb: %s: %s\n", what, line);
}

int running_print_diff(const struct config *c, struct err *err)
{
	struct config base, running, wanted;
	struct merge_notes notes = {0};
	struct text lines = {0};
	int ret = running_read(c, &base, &running, err);

	if (ret)
		return ret;
	ret = merge(&base, c, &running, false, &wanted, &notes, err);
	if (!ret && diff_print(&running, &wanted, &lines))
		ret = err_set(err, -ENOMEM, "out of memory");
	if (!ret) {
		fputs(text_get(&lines), stdout);
		tell("kept", &notes.kept);
		tell("needs a restart", &notes.restart);
	}
	merge_notes_free(&notes);
	text_free(&lines);
	config_free(&base);
	config_free(&running);
	config_free(&wanted);
	return ret;
}
