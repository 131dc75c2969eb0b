/* SPDX-License-Identifier: MIT */
/*
 * echod.c - sends back what it receives
 *
 *	echod PORT
 *
 * One thread, one epoll, as many connections as it may have descriptors.
 */
#include <fcntl.h>
#include <sys/epoll.h>

#include "tool.h"

#define EVENTS 256

static int listen_on(const char *port)
{
	struct sockaddr_in any = endpoint("0.0.0.0", port);
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd == -1)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) == -1 ||
	    listen(fd, 4096) == -1)
		die(port);
	return fd;
}

static void watch(int epoll, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == -1)
		die("epoll_ctl");
}

static void accept_all(int epoll, int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) != -1) {
		no_delay(fd);
		watch(epoll, fd);
	}
	if (errno != EAGAIN && errno != ECONNABORTED)
		die("accept");
}

static void echo(int fd)
{
	char buffer[4096];
	ssize_t n = recv(fd, buffer, sizeof(buffer), 0);

	/* The clients wait for each answer, so it always fits. */
	if (n > 0 && send(fd, buffer, (size_t)n, MSG_NOSIGNAL) == n)
		return;
	if (n != -1 || errno != EAGAIN)
		close(fd);
}

int main(int argc, char *argv[])
{
	struct epoll_event events[EVENTS];
	int epoll, listener;

	if (argc != 2) {
		fprintf(stderr, "usage: echod PORT\n");
		return 2;
	}
	end_well();
	listener = listen_on(argv[1]);
	epoll = epoll_create1(0);
	if (epoll == -1)
		die("epoll");
	watch(epoll, listener);
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == listener)
				accept_all(epoll, listener);
			else
				echo(events[i].data.fd);
		}
	}
}
