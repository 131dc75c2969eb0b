/* SPDX-License-Identifier: MIT */
/*
 * hold.c - connections that have been used once and are idle since
 *
 *	hold ADDRESS PORT COUNT SOURCE
 *
 * Opens COUNT connections from SOURCE to an echo server, sends one byte on
 * each and awaits it, says `held COUNT`, and keeps them until it is ended.
 */

#include "tool.h"

#define AT_ONCE 128 /* opened before their answers are awaited */

static int open_one(const struct sockaddr_in *to,
		    const struct sockaddr_in *from)
{
	int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
	struct timeval limit = {.tv_sec = 10};

	if (fd == -1)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)from, sizeof(*from)) == -1)
		die("bind");
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) == -1)
		die("connect");
	if (send(fd, "x", 1, MSG_NOSIGNAL) != 1)
		die("send");
	return fd;
}

int main(int argc, char *argv[])
{
	struct sockaddr_in to, from;
	int count, used, fds[AT_ONCE];
	char byte;

	if (argc != 5) {
		fprintf(stderr, "usage: hold ADDRESS PORT COUNT SOURCE\n");
		return 2;
	}
	end_well();
	to = endpoint(argv[1], argv[2]);
	from = endpoint(argv[4], "0");
	count = atoi(argv[3]);
	for (int held = 0; held < count; held += used) {
		used = count - held < AT_ONCE ? count - held : AT_ONCE;
		for (int i = 0; i < used; i++)
			fds[i] = open_one(&to, &from);
		for (int i = 0; i < used; i++)
			if (recv(fds[i], &byte, 1, 0) != 1)
				die("echo");
	}
	printf("held %d\n", count);
	fflush(stdout);
	pause();
	return 0;
}
