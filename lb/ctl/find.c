/* SPDX-License-Identifier: MIT */
/*
 * find.c - NAME.sock of those balancers that answer
 *
 * A socket answers if somebody accepts: after a crash its name may be left.
 * That l4lb-api itself does not run for a moment makes no difference, as l4lb
 * holds the socket for it.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/find.h"

#define SUFFIX	    ".sock"
#define CONTROL	    ".control"
#define NAMES_SHOWN 256 /* bytes of a sentence */

static int try_connect(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, ret = 0;

	/* The caller's buffer has the size of this one. */
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == -1)
		ret = -errno;
	close(fd);
	return ret == -EAGAIN ? 0 : ret; /* there, and busy */
}

static int denied(const char *path, struct err *err)
{
	return err_set(err, CTL_REFUSED,
		       "%s: only root and l4lb's own user may ask there; run "
		       "it with sudo",
		       path);
}

static bool ends_with(const char *name, const char *suffix)
{
	const size_t len = strlen(name), n = strlen(suffix);

	return len > n && strcmp(name + len - n, suffix) == 0;
}

/* False: too long for the address of a socket, so nobody listens there. */
static bool make_path(char path[FIND_PATH_MAX], const char *dir,
		      const char *name, const char *suffix)
{
	return snprintf(path, FIND_PATH_MAX, "%s/%s%s", dir, name, suffix) <
	       (int)FIND_PATH_MAX;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

struct found {
	char *names[64]; /* of those that answer; more are not shown */
	size_t n;
	bool may_not; /* some cannot be asked by this user */
	bool no_api;  /* some take commands but have no API */
	char silent[64];
};

static void look_at(struct found *f, const char *dir, const char *file)
{
	char path[FIND_PATH_MAX], name[FIND_PATH_MAX];
	int ret;

	if (ends_with(file, CONTROL)) {
		snprintf(name, sizeof(name), "%.*s",
			 (int)(strlen(file) - strlen(CONTROL)), file);
		if (make_path(path, dir, name, SUFFIX) &&
		    access(path, F_OK) == -1) {
			f->no_api = true;
			snprintf(f->silent, sizeof(f->silent), "%.60s", name);
		}
		return;
	}
	if (!ends_with(file, SUFFIX) || !make_path(path, dir, file, ""))
		return;
	ret = try_connect(path);
	if (ret == -EACCES || ret == -EPERM)
		f->may_not = true;
	if (ret || f->n == sizeof(f->names) / sizeof(*f->names))
		return;
	f->names[f->n] = strndup(file, strlen(file) - strlen(SUFFIX));
	f->n += f->names[f->n] != NULL;
}

static int look_around(struct found *f, const char *dir, struct err *err)
{
	struct dirent *entry;
	DIR *folder = opendir(dir);

	if (!folder && errno == EACCES)
		return denied(dir, err);
	/* What is not there has nobody in it. */
	while (folder && (entry = readdir(folder)))
		look_at(f, dir, entry->d_name);
	if (folder)
		closedir(folder);
	qsort(f->names, f->n, sizeof(*f->names), by_name);
	return CTL_OK;
}

/* "20000, web" */
static void list_names(const struct found *f, char text[NAMES_SHOWN])
{
	size_t len = 0;

	text[0] = 0;
	for (size_t i = 0; i < f->n && len < NAMES_SHOWN; i++)
		len += (size_t)snprintf(text + len, NAMES_SHOWN - len, "%s%s",
					i ? ", " : "", f->names[i]);
}

static int nobody(const struct found *f, const char *dir, const char *name,
		  struct err *err)
{
	char names[NAMES_SHOWN];

	list_names(f, names);
	if (name && f->n)
		return err_set(err, CTL_NOBODY,
			       "no l4lb named \"%s\" answers; there is %s",
			       name, names);
	if (f->may_not)
		return denied(dir, err);
	if (f->no_api)
		return err_set(err, CTL_NOBODY,
			       "l4lb \"%s\" has no API here: l4lb-api is not "
			       "installed, or api_socket = none, or l4lb has "
			       "ended by a crash; its log says which",
			       f->silent);
	return err_set(err, CTL_NOBODY,
		       "no l4lb %s%s%sruns here: nobody answers in %s; --url "
		       "asks one on another host",
		       name ? "named \"" : "", name ? name : "",
		       name ? "\" " : "", dir);
}

static int choose(const struct found *f, const char *dir, const char *name,
		  char path[FIND_PATH_MAX], struct err *err)
{
	char names[NAMES_SHOWN];

	if (f->n == 0 || name)
		return nobody(f, dir, name, err);
	if (f->n > 1) {
		list_names(f, names);
		return err_set(err, CTL_USAGE,
			       "several balancers run here: %s; choose one "
			       "with -n NAME",
			       names);
	}
	make_path(path, dir, f->names[0], SUFFIX);
	return CTL_OK;
}

int find_instance(const char *dir, const char *name, char path[FIND_PATH_MAX],
		  struct err *err)
{
	struct found f = {.n = 0};
	int ret;

	if (name && (!name[0] || strchr(name, '/') ||
		     !make_path(path, dir, name, SUFFIX)))
		return err_set(err, CTL_USAGE,
			       "\"%s\" cannot be the name of an instance",
			       name);
	if (name) {
		ret = try_connect(path);
		if (ret == 0)
			return CTL_OK;
		if (ret == -EACCES || ret == -EPERM)
			return denied(path, err);
	}
	ret = look_around(&f, dir, err);
	if (ret == CTL_OK)
		ret = choose(&f, dir, name, path, err);
	while (f.n)
		free(f.names[--f.n]);
	return ret;
}
