/* SPDX-License-Identifier: MIT */
/*
 * answer.c - the server of traffic.c
 *
 *	answer NAME ADDRESS PORT
 *
 * Says "listening", and answers every message with NAME and the message, until
 * it is killed. One thread, one epoll: hundreds of connections a second cost it
 * little, since the tests run on few processors.
 */
#include "traffic.h"

#define EVENTS	256
#define BACKLOG 4096

struct conn {
	int fd;
	size_t got;
	char answer[ANSWER]; /* the name; the message comes behind it */
};

static void end(struct conn *c)
{
	close(c->fd);
	free(c);
}

static void take(int epoll, int listener, const char *name)
{
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
		struct conn *c;

		if (fd == -1 && (errno == EAGAIN || errno == ECONNABORTED))
			return;
		if (fd == -1)
			die("accept");
		no_delay(fd);
		c = calloc(1, sizeof(*c));
		if (!c)
			die("calloc");
		c->fd = fd;
		snprintf(c->answer, NAME, "%s", name);
		watch(epoll, fd, EPOLLIN, c);
	}
}

/* One message waits at a time, so an answer always fits the socket. */
static void answer(struct conn *c)
{
	ssize_t n = recv(c->fd, c->answer + NAME + c->got, MESSAGE - c->got, 0);

	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0) {
		end(c);
		return;
	}
	c->got += (size_t)n;
	if (c->got < MESSAGE)
		return;
	c->got = 0;
	if (send(c->fd, c->answer, ANSWER, MSG_NOSIGNAL) != ANSWER)
		end(c);
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];
	struct sockaddr_in at;
	int listener, epoll, on = 1;

	if (argc != 4 || strlen(argv[1]) >= NAME) {
		fprintf(stderr, "usage: answer NAME ADDRESS PORT\n");
		return 2;
	}
	at = endpoint(argv[2], argv[3]);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	epoll = epoll_create1(0);
	if (listener == -1 || epoll == -1)
		die("socket");
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) == -1)
		die("bind");
	if (listen(listener, BACKLOG) == -1)
		die("listen");
	watch(epoll, listener, EPOLLIN, NULL);
	puts("listening");
	fflush(stdout);
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);

		if (n == -1 && errno != EINTR)
			die("epoll_wait");
		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				answer(events[i].data.ptr);
			else
				take(epoll, listener, argv[1]);
		}
	}
}
