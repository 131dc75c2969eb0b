/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "world.h"

uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

struct ip_addr ip(const char *text)
{
	struct in_addr v4;

	assert(inet_pton(AF_INET, text, &v4) == 1);
	return addr_from_v4(v4.s_addr);
}

/* Commands inherit the descriptor, as /proc/self/fd/N. */
static int this_namespace(void)
{
	int fd = open("/proc/self/ns/net", O_RDONLY); // NOLINT: inherited

	assert(fd != -1);
	return fd;
}

__attribute__((format(printf, 1, 0))) static void run(const char *fmt,
						      va_list args)
{
	char command[1024];

	vsnprintf(command, sizeof(command), fmt, args);
	if (system(command) == 0)
		return;
	fprintf(stderr, "failed: %s\n", command);
	abort();
}

void here(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	run(fmt, args);
	va_end(args);
}

void there(const struct world *w, const char *fmt, ...)
{
	va_list args;

	assert(setns(w->there, CLONE_NEWNET) == 0);
	va_start(args, fmt);
	run(fmt, args);
	va_end(args);
	assert(setns(w->here, CLONE_NEWNET) == 0);
}

bool world_possible(void)
{
	if (unshare(CLONE_NEWNET) == -1) {
		printf("skipped: no network namespace: %s\n", strerror(errno));
		return false;
	}
	if (system("ip link add v0 type veth peer name v1 && ip link del v0")) {
		printf("skipped: this kernel has no veth links\n");
		return false;
	}
	return true;
}

void world_init(struct world *w)
{
	struct err err;

	memset(w, 0, sizeof(*w));
	assert(unshare(CLONE_NEWNET) == 0);
	w->there = this_namespace();
	assert(unshare(CLONE_NEWNET) == 0);
	w->here = this_namespace();

	here("ip link set lo up &&"
	     "ip link add v0 address 02:00:00:00:00:01 type veth "
	     "peer name v0 address 02:00:00:00:00:02 netns /proc/self/fd/%d &&"
	     "ip address add 198.18.0.1/24 dev v0 && ip link set v0 up",
	     w->there);
	there(w, "ip address add 198.18.0.2/24 dev v0 && ip link set v0 up");
	if (netlink_open(&w->nl, &err)) {
		fprintf(stderr, "netlink_open: %s\n", err.text);
		abort();
	}
	WAIT_FOR(w, netlink_link_by_name(w->nl, "v0")->up);
	w->n_events = 0;
}

void world_free(struct world *w)
{
	netlink_close(w->nl);
	close(w->here);
	close(w->there);
}

static void remember(void *arg, const struct netlink_event *event)
{
	struct world *w = arg;

	assert(w->n_events < WORLD_EVENTS_MAX);
	w->events[w->n_events++] = (struct world_event){
		.kind = event->kind,
		.ifindex = event->link ? event->link->ifindex : 0,
		.addr = event->addr,
	};
}

void world_read(struct world *w)
{
	netlink_read(w->nl, remember, w);
}

void world_wait(struct world *w)
{
	struct pollfd fd = {.fd = netlink_fd(w->nl), .events = POLLIN};

	poll(&fd, 1, 10);
	world_read(w);
}

bool world_saw(const struct world *w, enum netlink_event_kind kind, int ifindex)
{
	unsigned i;

	for (i = 0; i < w->n_events; i++)
		if (w->events[i].kind == kind &&
		    w->events[i].ifindex == ifindex)
			return true;
	return false;
}

unsigned world_count_addr(const struct world *w, enum netlink_event_kind kind,
			  const char *addr)
{
	const struct ip_addr wanted = ip(addr);
	unsigned i, count = 0;

	for (i = 0; i < w->n_events; i++)
		count += w->events[i].kind == kind &&
			 addr_equal(&w->events[i].addr, &wanted);
	return count;
}

void send_datagram(const char *to)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(9)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, to, &sin.sin_addr);
	sendto(fd, "", 0, 0, (struct sockaddr *)&sin, sizeof(sin));
	close(fd);
}
