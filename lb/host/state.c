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
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "host/instance.h"
#include "host/state.h"
#include "host/state_file.h"
#include "host/state_name.h"

#define MIB (1024.0 * 1024.0)

struct state {
	char *path;		/* NULL: a memfd, which dies with us */
	struct state_name name; /* as long as it is being opened */
	int fd;			/* open as long as the lock is held */
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
	if (h->version != STATE_VERSION && h->version != STATE_V1)
		err_set(why, 0, "its format is version %u, this l4lb's is %d",
			h->version, STATE_VERSION);
	else if (h->check != state_header_check(h))
		err_set(why, 0, "its header is damaged");
	else if (h->flow_size != sizeof(struct flow))
		err_set(why, 0, "its flows have %u bytes, this l4lb's have %zu",
			h->flow_size, sizeof(struct flow));
	else if (h->flows == 0 || h->flows > FLOWS_MAX)
		err_set(why, 0, "a table of %u flows cannot be", h->flows);
	else if (size != (off_t)state_bytes_of(h->version, h->flows))
		err_set(why, 0, "it has %lld bytes and should have %zu",
			(long long)size, state_bytes_of(h->version, h->flows));
	else if (memcmp(h->place.boot, here.boot, sizeof(here.boot)) != 0)
		err_set(why, 0, "this host was started since");
	else if (h->place.netns != here.netns)
		err_set(why, 0, "it is of another network namespace");
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

/* Maps s->fd, a file of @version. */
static int map(struct state *s, uint32_t version, uint32_t flows,
	       struct err *err)
{
	s->bytes = state_bytes_of(version, flows);
	s->map = mmap(NULL, s->bytes, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_NORESERVE, s->fd, 0);
	if (s->map == MAP_FAILED) {
		s->map = NULL;
		return err_set(err, -errno, "no memory for %u flows: %s", flows,
			       strerror(errno));
	}
	s->flows = (struct flow *)((char *)s->map + state_flows_at(version));
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
		ret = map(new, STATE_VERSION, flows, err);
	if (ret)
		return ret;
	ret = fresh_header(new, flows);
	if (ret)
		return state_name_explain(&s->name, ret, err);
	if (s->found) {
		copy_flows(new->flows, flows, s->flows, s->head.flows);
		memcpy(new->head.secret, s->head.secret,
		       sizeof(new->head.secret));
		new->head.nat_lo = s->head.nat_lo;
		new->head.nat_hi = s->head.nat_hi;
		new->head.probe_lo = s->head.probe_lo;
	}
	ret = write_header(new);
	return ret ? state_name_explain(&s->name, ret, err) : 0;
}

/* Replaces the file that s->fd is, if any, by a new one. */
static int replace(struct state *s, uint32_t flows, bool aside, struct err *err)
{
	struct state new = {.fd = -1};
	char path[PATH_MAX], old[PATH_MAX];
	int ret;

	snprintf(path, sizeof(path), "%s.new", s->path);
	snprintf(old, sizeof(old), "%s.old", s->path);
	ret = aside ? state_name_check(old, err) : 0;
	if (ret)
		return ret;
	new.fd = state_name_create(&s->name, path, err);
	if (new.fd < 0)
		return new.fd;
	ret = fill_file(s, &new, flows, err);
	if (ret)
		goto fail;
	if ((aside && rename(s->path, old) == -1) ||
	    rename(path, s->path) == -1) {
		ret = state_name_explain(&s->name, -errno, err);
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
	const struct state_header *h = &s->head;
	/* Also for an existing file: it may have holes. */
	int ret = reserve(s, s->fd, state_bytes_of(h->version, h->flows), err);

	if (!ret)
		ret = map(s, h->version, h->flows, err);
	if (ret || (h->flows == flows && h->version == STATE_VERSION))
		return ret;
	ret = check_room(s, flows, err);
	return ret ? ret : replace(s, flows, false, err);
}

static int open_file(struct state *s, uint32_t flows, struct err *err)
{
	struct stat st;
	bool aside;
	int ret;

	err->text[0] = 0;
	ret = state_name_find(&s->name, &s->fd, &st, &s->why, err);
	if (ret && !err->text[0])
		err_set(err, ret,
			"state file %s: %s; choose another --state, "
			"or none",
			s->path, strerror(-ret));
	if (ret)
		return ret;
	aside = s->why.text[0] != 0;
	if (s->fd != -1)
		look_at(s, &st);
	ret = s->found ? go_on(s, flows, err) : replace(s, flows, aside, err);
	if (ret)
		return ret;
	say_if_lost(s);
	ret = write_header(s); /* for our pid */
	return ret ? state_name_explain(&s->name, ret, err) : 0;
}

/* Linux 6.3; some hosts insist on it (vm.memfd_noexec). */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif

static int open_memfd(void)
{
	const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	const int fd = memfd_create("l4lb-flows", flags | MFD_NOEXEC_SEAL);

	return fd == -1 && errno == EINVAL ? memfd_create("l4lb-flows", flags)
					   : fd;
}

/*
 * Memory that readers can map as they map a file. It is allocated as flows
 * come, not at the start; and nobody can truncate it.
 */
static int open_memory(struct state *s, uint32_t flows, struct err *err)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	int ret = fresh_header(s, flows);

	if (ret)
		return err_set(err, ret, "no random numbers: %s",
			       strerror(-ret));
	s->fd = open_memfd();
	if (s->fd == -1 ||
	    ftruncate(s->fd, (off_t)state_file_bytes(flows)) == -1 ||
	    fcntl(s->fd, F_ADD_SEALS, seals) == -1)
		return err_set(err, -errno, "no memory for %u flows: %s", flows,
			       strerror(errno));
	ret = map(s, STATE_VERSION, flows, err);
	if (ret)
		return ret;
	ret = write_header(s);
	return ret ? err_set(err, ret, "no memory for the flows: %s",
			     strerror(-ret))
		   : 0;
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
	s->name = (struct state_name){path, owner};
	if (*path) {
		s->path = strdup(path);
		ret = s->path ? open_file(s, flows, err)
			      : err_set(err, -ENOMEM, "out of memory");
	} else {
		ret = open_memory(s, flows, err);
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
	/*
	 * If unlink() is not permitted, the file is at least empty. Otherwise
	 * it is left as it is: a reader that has it mapped would die of SIGBUS.
	 */
	if (s->path && s->fd != -1 && unlink(s->path) == -1) {
		munmap(s->map, s->bytes);
		s->map = NULL;
		(void)!ftruncate(s->fd, 0);
	}
	state_close(s);
}

struct flow *state_flows(struct state *s)
{
	return s->flows;
}

int state_fd(const struct state *s)
{
	return s->fd;
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
