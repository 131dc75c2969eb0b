/* SPDX-License-Identifier: MIT */
/*
 * A new file is completed under a temporary name and then renamed over the old
 * one. So at every moment the name means a complete file, and whoever holds its
 * lock holds the flows. Of a file in use only the header is rewritten, by one
 * pwrite() within one page: a kill comes before or after it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "host/instance.h"
#include "host/state.h"
#include "host/state_file.h"

#define MIB (1024.0 * 1024.0)

struct state {
	char *path;		   /* NULL: memory only */
	const struct owner *owner; /* borrowed during the open; or NULL */
	int fd;			   /* open as long as the lock is held */
	void *map;
	size_t bytes;
	struct flow *flows;
	struct state_header head;
	bool found, empty;
	struct err why; /* why the file is fresh, or "" */
};

uint64_t state_header_check(const struct state_header *h)
{
	return XXH64(h, offsetof(struct state_header, check), 0);
}

/* ------------------------------------------------------------ the header */

static int write_header(struct state *s)
{
	ssize_t n;

	if (s->fd == -1)
		return 0;
	s->head.pid = (uint32_t)getpid();
	s->head.check = state_header_check(&s->head);
	n = pwrite(s->fd, &s->head, sizeof(s->head), 0);
	if (n == -1)
		return -errno;
	return n == sizeof(s->head) ? 0 : -ENOSPC;
}

static int fresh_header(struct state *s, uint32_t flows)
{
	struct state_header *h = &s->head;

	memset(h, 0, sizeof(*h));
	memcpy(h->magic, STATE_MAGIC, sizeof(h->magic));
	h->version = STATE_VERSION;
	h->flow_size = sizeof(struct flow);
	h->flows = flows;
	place_here(&h->place);
	if (getrandom(h->secret, sizeof(h->secret), 0) !=
	    (ssize_t)sizeof(h->secret))
		return -EIO;
	return 0;
}

/* Sets @why if the header of a file of @size bytes is wrong. */
static void check_header(const struct state_header *h, off_t size,
			 struct err *why)
{
	struct place here;

	place_here(&here);
	if (h->version != STATE_VERSION)
		err_set(why, 0, "its format is version %u, this l4lb's is %d",
			h->version, STATE_VERSION);
	else if (h->check != state_header_check(h))
		err_set(why, 0, "its header is damaged");
	else if (h->flow_size != sizeof(struct flow))
		err_set(why, 0, "its flows have %u bytes, this l4lb's have %zu",
			h->flow_size, sizeof(struct flow));
	else if (h->flows == 0 || h->flows > FLOWS_MAX)
		err_set(why, 0, "a table of %u flows cannot be", h->flows);
	else if (size != (off_t)state_file_bytes(h->flows))
		err_set(why, 0, "it has %lld bytes and should have %zu",
			(long long)size, state_file_bytes(h->flows));
	else if (memcmp(h->place.boot, here.boot, sizeof(here.boot)) != 0)
		err_set(why, 0, "this host was started since");
	else if (h->place.netns != here.netns)
		err_set(why, 0, "it is of another network namespace");
}

/* ------------------------------------------------------- the file we find */

/* Returns false and sets @why if another user could have written the file. */
static bool is_trusted(const struct state *s, const struct stat *st,
		       struct err *why)
{
	if (S_ISLNK(st->st_mode))
		err_set(why, 0, "it is a symbolic link");
	else if (st->st_nlink != 1)
		err_set(why, 0, "it has %ju names (hard links)",
			(uintmax_t)st->st_nlink);
	else if (!owner_is(st, s->owner))
		err_set(why, 0, "it belongs to uid %u", (unsigned)st->st_uid);
	else if (st->st_mode & (S_IWGRP | S_IWOTH))
		err_set(why, 0, "others may write to it, its mode is %04o",
			(unsigned)st->st_mode & 07777);
	else
		return true;
	return false;
}

static int refuse_locked(const struct state *s, int fd, struct err *err)
{
	struct state_header h = {.pid = 0};
	char who[32] = "";

	if (pread(fd, &h, sizeof(h), 0) == sizeof(h) &&
	    memcmp(h.magic, STATE_MAGIC, sizeof(h.magic)) == 0 && h.pid)
		snprintf(who, sizeof(who), " (pid %u)", h.pid);
	return err_set(err, -EADDRINUSE,
		       "state file %s: an l4lb%s is running with it; stop that "
		       "one, or choose another --name or --state",
		       s->path, who);
}

static int refuse_foreign(const char *path, struct err *err)
{
	return err_set(err, -EEXIST,
		       "state file %s: there is a file of that name that l4lb "
		       "has not written; choose another --state, or none, or "
		       "move it away",
		       path);
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

/*
 * Opens and locks an existing file that no other user could have written.
 * Without one, s->fd stays -1. *aside: another user could have; move it away,
 * do not overwrite it.
 */
static int find_file(struct state *s, struct stat *st, bool *aside,
		     struct err *err)
{
	struct stat named;
	int fd;

	for (;;) {
		if (lstat(s->path, st) == -1)
			return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
		if (!S_ISREG(st->st_mode) && !S_ISLNK(st->st_mode))
			return err_set(err, -EINVAL,
				       "state file %s: there is something else "
				       "of that name, which is no file; choose "
				       "another --state, or none",
				       s->path);
		if (is_foreign(s->path))
			return refuse_foreign(s->path, err);
		*aside = !is_trusted(s, st, &s->why);
		if (*aside)
			return 0;
		fd = open(s->path,
			  O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (fd == -1 && errno == ENOENT)
			continue;
		if (fd == -1)
			return -errno;
		if (lock_wait(fd, LOCK_KILLED_MS)) {
			refuse_locked(s, fd, err);
			close(fd);
			return -EADDRINUSE;
		}
		/* Was it replaced meanwhile, or by one with other rights? */
		if (fstat(fd, st) == 0 && lstat(s->path, &named) == 0 &&
		    st->st_ino == named.st_ino && st->st_dev == named.st_dev &&
		    S_ISREG(st->st_mode) && is_trusted(s, st, &s->why) &&
		    !state_file_is_foreign(fd)) {
			s->fd = fd;
			return owner_give(fd, s->owner);
		}
		close(fd);
		s->why.text[0] = 0;
	}
}

/* Decides whether to continue with this file; if so, s->head is its header. */
static void look_at(struct state *s, const struct stat *st)
{
	struct state_header *h = &s->head;
	ssize_t n = pread(s->fd, h, sizeof(*h), 0);

	if (n == -1)
		err_set(&s->why, 0, "it cannot be read: %s", strerror(errno));
	else if (n == 0)
		err_set(&s->why, 0, "it is empty");
	else if (h->magic[0] == 0)
		err_set(&s->why, 0, "it has no header");
	else if (n < (ssize_t)sizeof(*h))
		err_set(&s->why, 0, "it is truncated, at %zd bytes", n);
	else
		check_header(h, st->st_size, &s->why);
	s->found = s->why.text[0] == 0;
	s->empty = n == 0;
}

/* ---------------------------------------------------------------- memory */

/* Allocates every page now, so that none can be missing later. */
static int reserve(const struct state *s, int fd, size_t bytes, struct err *err)
{
	int ret;

	do {
		ret = posix_fallocate(fd, 0, (off_t)bytes);
	} while (ret == EINTR);
	if (ret == ENOSPC || ret == EFBIG || ret == EDQUOT)
		return err_set(err, -ret,
			       "state file %s: no room for its %.1f MiB; lower "
			       "--flows, or choose another --state",
			       s->path, (double)bytes / MIB);
	if (ret)
		return err_set(err, -ret, "state file %s: %s", s->path,
			       strerror(ret));
	return 0;
}

static int map(struct state *s, int fd, uint32_t flows, struct err *err)
{
	/* Anonymous memory is allocated as flows come, not at the start. */
	int flags = fd == -1 ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
			     : MAP_SHARED;

	s->bytes = state_file_bytes(flows);
	s->map = mmap(NULL, s->bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (s->map == MAP_FAILED) {
		s->map = NULL;
		return err_set(err, -errno, "no memory for %u flows: %s", flows,
			       strerror(errno));
	}
	s->flows = (struct flow *)((char *)s->map + STATE_FLOWS_AT);
	return 0;
}

/* What to say if the mapped file has lost pages: nobody else calls us then. */
static struct {
	const char *lo, *hi; /* the mapped memory */
	char text[PATH_MAX + 128];
} lost;

static void on_lost(int signal, siginfo_t *info, void *context)
{
	const char *at = info->si_addr;

	(void)context;
	if (at >= lost.lo && at < lost.hi) {
		(void)!write(STDERR_FILENO, lost.text, strlen(lost.text));
		_exit(1);
	}
	(void)sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL},
			NULL);
}

/* Someone may truncate the file, and no seal prevents it in a file system. */
static void say_if_lost(const struct state *s)
{
	struct sigaction action = {.sa_sigaction = on_lost,
				   .sa_flags = SA_SIGINFO};

	lost.lo = s->map;
	lost.hi = lost.lo + s->bytes;
	snprintf(lost.text, sizeof(lost.text),
		 "l4lb: state file %s: somebody has truncated it while l4lb "
		 "runs: its connections are lost\n",
		 s->path);
	(void)sigaction(SIGBUS, &action, NULL);
}

/* ------------------------------------------------------------- a new file */

static int explain_create(const struct state *s, int code, struct err *err)
{
	return err_set(err, code,
		       "state file %s: cannot create it: %s; choose another "
		       "--state, or none",
		       s->path, strerror(-code));
}

static int make_folder(const struct state *s, const char *path, struct err *err)
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
					 s->path, folder, strerror(errno));
	/* On an error the next call fails too. */
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return 0;
	(void)owner_give(fd, s->owner);
	close(fd);
	return 0;
}

static int create(const struct state *s, const char *path, struct err *err)
{
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd, ret;

	if (is_foreign(path))
		return refuse_foreign(path, err);
	(void)unlink(path); /* left by a process that died here */
	fd = open(path, flags, 0600);
	if (fd == -1 && errno == ENOENT) {
		ret = make_folder(s, path, err);
		if (ret)
			return ret;
		fd = open(path, flags, 0600);
	}
	if (fd == -1)
		return explain_create(s, -errno, err);
	ret = fchmod(fd, 0600) == -1 || flock(fd, LOCK_EX | LOCK_NB) == -1
		      ? -errno
		      : owner_give(fd, s->owner);
	if (ret) {
		ret = explain_create(s, ret, err);
		(void)unlink(path);
		close(fd);
		return ret;
	}
	return fd;
}

/* How important a flow is; the least important is 0. */
static unsigned rank(const struct flow *f)
{
	if (f->open != 1)
		return 0;
	if (f->tcp.state >= TCP_STATES || tcp_is_closed(f->tcp.state))
		return 1;
	return tcp_is_half_open(f->tcp.state) ? 2 : 3;
}

/*
 * Copies connections first. Closed flows and those that never opened get the
 * room that is left.
 */
static void copy_flows(struct flow *to, uint32_t room, const struct flow *from,
		       uint32_t size)
{
	uint32_t n = 0;

	for (unsigned r = 3; r > 0; r--)
		for (uint32_t i = 0; i < size && n < room; i++)
			if (rank(&from[i]) == r)
				to[n++] = from[i];
}

/* Refuses a table with less room than there are connections. */
static int check_room(const struct state *s, uint32_t room, struct err *err)
{
	uint32_t live = 0;

	for (uint32_t i = 0; i < s->head.flows; i++)
		live += rank(&s->flows[i]) == 3;
	if (live <= room)
		return 0;
	return err_set(err, -EINVAL,
		       "state file %s: it holds %u connections, and --flows is "
		       "%u; raise it, or remove the file to drop them all",
		       s->path, live, room);
}

/* Makes the new file of @path, complete but for its name. */
static int fill_file(struct state *s, struct state *new, uint32_t flows,
		     struct err *err)
{
	int ret = reserve(s, new->fd, state_file_bytes(flows), err);

	if (!ret)
		ret = map(new, new->fd, flows, err);
	if (ret)
		return ret;
	ret = fresh_header(new, flows);
	if (ret)
		return explain_create(s, ret, err);
	if (s->found) {
		copy_flows(new->flows, flows, s->flows, s->head.flows);
		new->head.nat_lo = s->head.nat_lo;
		new->head.nat_hi = s->head.nat_hi;
		new->head.probe_lo = s->head.probe_lo;
	}
	ret = write_header(new);
	return ret ? explain_create(s, ret, err) : 0;
}

/* Replaces the file that s->fd is, if any, by a new one. */
static int replace(struct state *s, uint32_t flows, bool aside, struct err *err)
{
	struct state new = {.fd = -1};
	char path[PATH_MAX], old[PATH_MAX];
	int ret;

	snprintf(path, sizeof(path), "%s.new", s->path);
	snprintf(old, sizeof(old), "%s.old", s->path);
	if (aside && is_foreign(old))
		return refuse_foreign(old, err);
	new.fd = create(s, path, err);
	if (new.fd < 0)
		return new.fd;
	ret = fill_file(s, &new, flows, err);
	if (ret)
		goto fail;
	if ((aside && rename(s->path, old) == -1) ||
	    rename(path, s->path) == -1) {
		ret = explain_create(s, -errno, err);
		goto fail;
	}
	if (s->map)
		munmap(s->map, s->bytes);
	if (s->fd != -1)
		close(s->fd);
	s->fd = new.fd;
	s->map = new.map;
	s->bytes = new.bytes;
	s->flows = new.flows;
	s->head = new.head;
	return 0;

fail:
	if (new.map)
		munmap(new.map, new.bytes);
	(void)unlink(path);
	close(new.fd);
	return ret;
}

/* ---------------------------------------------------------------- opening */

static int go_on(struct state *s, uint32_t flows, struct err *err)
{
	/* Also for an existing file: it may have holes. */
	int ret = reserve(s, s->fd, state_file_bytes(s->head.flows), err);

	if (!ret)
		ret = map(s, s->fd, s->head.flows, err);
	if (ret || s->head.flows == flows)
		return ret;
	ret = check_room(s, flows, err);
	return ret ? ret : replace(s, flows, false, err);
}

static int open_file(struct state *s, uint32_t flows, struct err *err)
{
	bool aside = false;
	struct stat st;
	int ret;

	err->text[0] = 0;
	ret = find_file(s, &st, &aside, err);
	if (ret && !err->text[0])
		err_set(err, ret,
			"state file %s: %s; choose another --state, "
			"or none",
			s->path, strerror(-ret));
	if (ret)
		return ret;
	if (s->fd != -1)
		look_at(s, &st);
	ret = s->found ? go_on(s, flows, err) : replace(s, flows, aside, err);
	if (ret)
		return ret;
	say_if_lost(s);
	ret = write_header(s); /* for our pid */
	return ret ? explain_create(s, ret, err) : 0;
}

int state_open(struct state **out, const char *path, uint32_t flows,
	       const struct owner *owner, struct err *err)
{
	struct state *s = calloc(1, sizeof(*s));
	int ret;

	assert(flows > 0);
	assert(flows <= FLOWS_MAX);
	if (!s)
		return err_set(err, -ENOMEM, "out of memory");
	s->fd = -1;
	s->owner = owner;
	if (*path) {
		s->path = strdup(path);
		ret = s->path ? open_file(s, flows, err)
			      : err_set(err, -ENOMEM, "out of memory");
	} else {
		ret = fresh_header(s, flows);
		if (ret)
			err_set(err, ret, "no random numbers: %s",
				strerror(-ret));
		else
			ret = map(s, -1, flows, err);
	}
	if (ret) {
		state_close(s);
		return ret;
	}
	*out = s;
	return 0;
}

void state_close(struct state *s)
{
	if (!s)
		return;
	if (s->map)
		munmap(s->map, s->bytes);
	if (s->fd != -1)
		close(s->fd);
	free(s->path);
	free(s);
}

void state_remove(struct state *s)
{
	if (!s)
		return;
	if (s->fd != -1) {
		munmap(s->map, s->bytes);
		s->map = NULL;
		/* If unlink() is not permitted, the file is at least empty. */
		(void)!ftruncate(s->fd, 0);
		(void)unlink(s->path);
	}
	state_close(s);
}

struct flow *state_flows(struct state *s)
{
	return s->flows;
}

const uint8_t *state_secret(const struct state *s)
{
	return s->head.secret;
}

bool state_found(const struct state *s)
{
	return s->found;
}

const struct flow *state_found_flows(const struct state *s, uint32_t *n)
{
	*n = s->found ? s->head.flows : 0;
	return s->flows;
}

bool state_was_empty(const struct state *s)
{
	return s->empty;
}

const char *state_why_fresh(const struct state *s)
{
	return s->why.text[0] ? s->why.text : NULL;
}

bool state_ports(const struct state *s, uint16_t *lo, uint16_t *hi)
{
	if (!s->found || s->head.nat_lo == 0 || s->head.nat_lo > s->head.nat_hi)
		return false;
	*lo = s->head.nat_lo;
	*hi = s->head.nat_hi;
	return true;
}

uint16_t state_probe_ports(const struct state *s)
{
	return s->found ? s->head.probe_lo : 0;
}

void state_set_ports(struct state *s, uint16_t lo, uint16_t hi,
		     uint16_t probe_lo)
{
	s->head.nat_lo = lo;
	s->head.nat_hi = hi;
	s->head.probe_lo = probe_lo;
	/* Only a hint for the next start; an error does not matter. */
	(void)write_header(s);
}
