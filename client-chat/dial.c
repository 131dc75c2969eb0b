/* SPDX-License-Identifier: MIT */
/* See dial.h. */
#include "dial.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Without this the kernel would try for two minutes. */
#define DIAL_TIMEOUT_MS 10000

static int await_connection(int fd)
{
	struct pollfd writable = {.fd = fd, .events = POLLOUT};
	int error = 0, ready;
	socklen_t len = sizeof(error);

	do
		ready = poll(&writable, 1, DIAL_TIMEOUT_MS);
	while (ready == -1 && errno == EINTR);
	if (ready == 0)
		return ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		return errno;
	return error;
}

static int dial_address(const struct addrinfo *a)
{
	const int on = 1;
	int fd = socket(a->ai_family,
			a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error = 0;

	if (fd == -1)
		return -1;
	if (connect(fd, a->ai_addr, a->ai_addrlen) == -1)
		error = errno == EINPROGRESS ? await_connection(fd) : errno;
	if (error) {
		close(fd);
		errno = error;
		return -1;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	return fd;
}

static const char *advice(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return "no server listens there: check address and port, or "
		       "start chat_serv";
	case ETIMEDOUT:
		return "no answer: check the address, and firewalls on the way";
	case EHOSTUNREACH:
	case ENETUNREACH:
		return "unreachable: check the address and this host's network";
	default: return "check address and port";
	}
}

int dial(const char *host, const char *port, char *why, size_t why_len)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found, *a;
	int fd = -1, error = getaddrinfo(host, port, &hints, &found);

	if (error) {
		snprintf(why, why_len,
			 "cannot resolve %s: %s; check the name or give the "
			 "number",
			 host,
			 error == EAI_SYSTEM ? strerror(errno)
					     : gai_strerror(error));
		return -1;
	}
	for (a = found; a && fd == -1; a = a->ai_next)
		fd = dial_address(a);
	error = errno;
	freeaddrinfo(found);
	if (fd == -1)
		snprintf(why, why_len, "cannot connect to %s port %s: %s; %s",
			 host, port, strerror(error), advice(error));
	return fd;
}
