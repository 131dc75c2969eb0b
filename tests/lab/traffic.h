/* SPDX-License-Identifier: MIT */
/*
 * traffic.h - what answer.c and traffic.c say to each other
 *
 * The client sends a message of MESSAGE bytes and gets the server's name and
 * the same bytes back, as often as it likes. Then it shuts down its side, and
 * the server closes.
 */
#ifndef L4LB_LAB_TRAFFIC_H
#define L4LB_LAB_TRAFFIC_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAME	16 /* padded with zeros, the last byte is one */
#define MESSAGE 64
#define ANSWER	(NAME + MESSAGE)

static inline void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(2);
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

static inline void watch(int epoll, int fd, uint32_t events, void *of)
{
	struct epoll_event event = {.events = events, .data.ptr = of};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == -1)
		die("epoll_ctl");
}

#endif
