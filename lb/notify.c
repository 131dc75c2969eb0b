/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "notify.h"

#define NS_PER_US	1000ul
#define RETRY_NS	(100ul * 1000 * 1000)
#define WATCHDOG_US_MAX (UINT64_MAX / NS_PER_US)

/* A path, or with @ a name of the abstract space, which has no 0 at its end. */
static int parse_address(struct notify *n, const char *name)
{
	const size_t len = strlen(name);

	n->to = (struct sockaddr_un){.sun_family = AF_UNIX};
	if ((name[0] != '/' && name[0] != '@') || len < 2)
		return -EINVAL;
	if (len >= sizeof(n->to.sun_path))
		return -ENAMETOOLONG;
	memcpy(n->to.sun_path, name, len);
	if (name[0] == '@')
		n->to.sun_path[0] = '\0';
	n->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len +
				(name[0] == '/'));
	return 0;
}

static int attach(const struct notify *n)
{
	if (connect(n->fd, (const struct sockaddr *)&n->to, n->to_len))
		return -errno;
	return 0;
}

static int open_socket(struct notify *n, const char *name)
{
	int ret = parse_address(n, name);

	if (ret)
		return ret;
	n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (n->fd == -1)
		return -errno;
	ret = attach(n);
	if (ret)
		close(n->fd);
	return ret;
}

/* 0 if @text is not a number, all of it. */
static uint64_t number(const char *text)
{
	uintmax_t value;
	char *end;

	if (!text || *text < '0' || *text > '9')
		return 0;
	errno = 0;
	value = strtoumax(text, &end, 10);
	return *end || errno ? 0 : value;
}

/* The variables may be meant for our parent: then the pid is another. */
static uint64_t feed_every_ns(const char *usec, const char *pid)
{
	const uint64_t us = number(usec);

	if (pid && number(pid) != (uint64_t)getpid())
		return 0;
	return us > WATCHDOG_US_MAX ? 0 : us * NS_PER_US / 2;
}

int notify_open(struct notify *n)
{
	const char *name = getenv("NOTIFY_SOCKET");
	int ret = 0;

	*n = (struct notify){.fd = -1};
	if (name && *name) {
		ret = open_socket(n, name);
		n->is_open = ret == 0;
	}
	if (n->is_open)
		n->feed_every_ns = feed_every_ns(getenv("WATCHDOG_USEC"),
						 getenv("WATCHDOG_PID"));
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	return ret;
}

void notify_close(struct notify *n)
{
	if (n->is_open)
		close(n->fd);
	n->is_open = false;
}

static ssize_t send_now(const struct notify *n, const char *line)
{
	return send(n->fd, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* True: sent, or it can never be. */
static bool sent(const struct notify *n, const char *line)
{
	ssize_t done = send_now(n, line);

	/* Whoever listened has begun anew, at the same place. */
	if (done == -1 && (errno == ECONNREFUSED || errno == ENOTCONN) &&
	    attach(n) == 0)
		done = send_now(n, line);
	return done != -1 ||
	       (errno != EAGAIN && errno != ENOBUFS && errno != EINTR);
}

static void drop_oldest(struct notify *n, unsigned count)
{
	n->n_waiting -= count;
	memmove(n->waiting, n->waiting + count,
		n->n_waiting * sizeof(*n->waiting));
}

static void flush(struct notify *n)
{
	unsigned done = 0;

	while (done < n->n_waiting && sent(n, n->waiting[done]))
		done++;
	drop_oldest(n, done);
}

/* If too much waits, the oldest is given up: the latest state counts. */
static void tell(struct notify *n, const char *line)
{
	if (!n->is_open)
		return;
	flush(n);
	if (n->n_waiting == 0 && sent(n, line))
		return;
	if (n->n_waiting == NOTIFY_WAITING)
		drop_oldest(n, 1);
	snprintf(n->waiting[n->n_waiting++], NOTIFY_LINE_MAX, "%s", line);
}

/* A newline in it would begin another key. */
static void set_status(struct notify *n, const char *status)
{
	snprintf(n->status, sizeof(n->status), "%s", status);
	for (char *c = n->status; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
}

static void tell_state(struct notify *n, const char *state, const char *status)
{
	char line[NOTIFY_LINE_MAX];

	set_status(n, status);
	snprintf(line, sizeof(line), "%s\nSTATUS=%s", state, n->status);
	tell(n, line);
}

void notify_ready(struct notify *n, const char *status)
{
	tell_state(n, "READY=1", status);
}

/* By the time systemd knows that this reload began after its signal. */
void notify_reloading(struct notify *n, const char *status)
{
	struct timespec now;
	char state[64];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		 (uint64_t)now.tv_sec * 1000000 +
			 (uint64_t)now.tv_nsec / NS_PER_US);
	tell_state(n, state, status);
}

void notify_stopping(struct notify *n, const char *status)
{
	tell_state(n, "STOPPING=1", status);
}

void notify_status(struct notify *n, const char *status)
{
	char line[NOTIFY_LINE_MAX], before[NOTIFY_STATUS_MAX];

	memcpy(before, n->status, sizeof(before));
	set_status(n, status);
	if (strcmp(before, n->status) == 0)
		return;
	snprintf(line, sizeof(line), "STATUS=%s", n->status);
	tell(n, line);
}

/* A life sign is never kept for later: it would be one of another time. */
uint64_t notify_turn(struct notify *n, uint64_t now_ns)
{
	uint64_t next_ns = UINT64_MAX;

	if (!n->is_open)
		return next_ns;
	flush(n);
	if (n->feed_every_ns && now_ns >= n->feed_at_ns) {
		(void)sent(n, "WATCHDOG=1");
		n->feed_at_ns = now_ns + n->feed_every_ns;
	}
	if (n->feed_every_ns)
		next_ns = n->feed_at_ns;
	if (n->n_waiting && now_ns + RETRY_NS < next_ns)
		next_ns = now_ns + RETRY_NS;
	return next_ns;
}
