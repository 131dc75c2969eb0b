/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app.h"
#include "host/small_file.h"
#include "save.h"
#include "steps.h"

static_assert(sizeof(SAVE_DIR "/.changes") + CONFIG_NAME_MAX <= SAVE_PATH_MAX,
	      "any name fits");

const char *save_path(const struct app *app, char path[SAVE_PATH_MAX])
{
	snprintf(path, SAVE_PATH_MAX, SAVE_DIR "/%s.changes", app->config.name);
	return path;
}

/* In the child; its exit status. */
static int write_file(const char *path, const struct text *t)
{
	struct err ignored;
	int ret;

	if (t->len > 0)
		ret = small_file_write(path, t->bytes, t->len, true, &ignored);
	else
		ret = unlink(path) == -1 && errno != ENOENT ? -errno : 0;
	return -ret;
}

static void ended(void *arg, int status)
{
	struct app *app = arg;
	const char *failure = child_failure(status);
	char path[SAVE_PATH_MAX];
	struct err err = {.text = ""};

	app->saver.runs = false;
	if (failure)
		err_set(&err, 0, "cannot write %s: %s", save_path(app, path),
			failure);
	app->saver.done(app, failure ? -EIO : 0, &err);
}

int save_begin(struct app *app, save_done_fn *done, struct err *err)
{
	struct saver *s = &app->saver;
	char path[SAVE_PATH_MAX];
	struct text t = {.bytes = NULL};
	pid_t pid;

	if (s->runs)
		return err_set(err, -EBUSY, "the changes are being saved");
	if (overlay_text(&app->overlay.base, &app->config, false, &t)) {
		text_free(&t);
		return err_set(err, -ENOMEM, "out of memory");
	}
	pid = children_fork(&app->children, ended, app);
	if (pid == 0)
		_exit(write_file(save_path(app, path), &t));
	text_free(&t);
	if (pid < 0)
		return err_set(err, (int)pid, "fork: %s", strerror(-(int)pid));
	s->runs = true;
	s->done = done;
	return 0;
}

/* The folder; without it `save` says that it cannot write there. */
static int start(struct app *app, struct err *err)
{
	int fd;

	(void)err;
	if (mkdir(SAVE_DIR, 0700) == -1 && errno != EEXIST)
		return 0;
	fd = open(SAVE_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return 0;
	(void)owner_give(fd, &app->user.owner);
	close(fd);
	return 0;
}

const struct step step_save = {"save", start, NULL};
