/* SPDX-License-Identifier: MIT */
/*
 * tool.h - what the bench's programs share
 *
 * They print their results as `name value` lines, and end on the first thing
 * that is wrong: a figure from half a load would be worse than none.
 */
#ifndef L4LB_BENCH_TOOL_H
#define L4LB_BENCH_TOOL_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S  1000000000ull
#define NS_PER_US 1000.0

static inline void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(2);
}

static inline void tool_end(int sig)
{
	(void)sig;
	_exit(0);
}

/* For those that run until they are told: that is then no failure. */
static inline void end_well(void)
{
	struct sigaction action = {.sa_handler = tool_end};

	sigaction(SIGTERM, &action, NULL);
}

static inline uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static inline struct sockaddr_in endpoint(const char *addr, const char *port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};

	sin.sin_port = htons((uint16_t)atoi(port));
	if (inet_pton(AF_INET, addr, &sin.sin_addr) != 1) {
		errno = EINVAL;
		die(addr);
	}
	return sin;
}

static inline void no_delay(int fd)
{
	int on = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1)
		die("TCP_NODELAY");
}

/* Durations in ns, as many as fit; the rest is not recorded. */
struct samples {
	uint64_t *ns;
	size_t used, size;
};

static inline void samples_init(struct samples *s, size_t size)
{
	s->ns = calloc(size, sizeof(*s->ns));
	if (!s->ns)
		die("samples");
	s->used = 0;
	s->size = size;
}

static inline void samples_add(struct samples *s, uint64_t ns)
{
	if (s->used < s->size)
		s->ns[s->used++] = ns;
}

static inline int samples_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static inline double samples_us(const struct samples *s, double quantile)
{
	return (double)s->ns[(size_t)((double)(s->used - 1) * quantile)] /
	       NS_PER_US;
}

static inline void samples_print(struct samples *s)
{
	if (s->used == 0)
		return;
	qsort(s->ns, s->used, sizeof(*s->ns), samples_compare);
	printf("p50_us %.2f\np99_us %.2f\nmax_us %.2f\n", samples_us(s, 0.5),
	       samples_us(s, 0.99), samples_us(s, 1.0));
}

#endif
