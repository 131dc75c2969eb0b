/* SPDX-License-Identifier: MIT */
/*
 * chat_load.h - what the chat's load clients share: sockets without waiting,
 * and times in milliseconds.
 */
#ifndef L4LB_BENCH_CHAT_LOAD_H
#define L4LB_BENCH_CHAT_LOAD_H

#include <sys/epoll.h>

#include "tool.h"

#define NS_PER_MS 1e6

/* A connection that is not there yet; data: of its events. -1: refused. */
static inline int connect_soon(int epoll, const struct sockaddr_in *to,
			       uint32_t events, void *data)
{
	struct epoll_event event = {.events = events, .data.ptr = data};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd == -1)
		die("socket");
	no_delay(fd);
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) == -1 &&
	    errno != EINPROGRESS) {
		close(fd);
		return -1;
	}
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == -1)
		die("epoll_ctl");
	return fd;
}

static inline void print_ms(const char *name, double ns)
{
	printf("%s %.1f\n", name, ns / NS_PER_MS);
}

/* Sorts them. */
static inline void print_times(struct samples *s)
{
	double sum = 0;

	if (s->used == 0)
		return;
	for (size_t i = 0; i < s->used; i++)
		sum += (double)s->ns[i];
	qsort(s->ns, s->used, sizeof(*s->ns), samples_compare);
	print_ms("mean_ms", sum / (double)s->used);
	print_ms("p50_ms", samples_us(s, 0.5) * NS_PER_US);
	print_ms("p99_ms", samples_us(s, 0.99) * NS_PER_US);
	print_ms("max_ms", samples_us(s, 1.0) * NS_PER_US);
}

#endif
