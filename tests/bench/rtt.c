/* SPDX-License-Identifier: MIT */
/*
 * rtt.c - the round trip of one byte
 *
 *	rtt ADDRESS PORT SECONDS
 *
 * One connection, one byte at a time, without Nagle.
 */
#include "tool.h"

#define SAMPLES 4000000
#define WARM_UP 200

static void once(int fd)
{
	char byte = 'x';

	if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || recv(fd, &byte, 1, 0) != 1)
		die("echo");
}

int main(int argc, char *argv[])
{
	struct timeval limit = {.tv_sec = 10};
	uint64_t before, after, end;
	struct sockaddr_in to;
	struct samples rtt;
	int fd;

	if (argc != 4) {
		fprintf(stderr, "usage: rtt ADDRESS PORT SECONDS\n");
		return 2;
	}
	to = endpoint(argv[1], argv[2]);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (fd == -1 || connect(fd, (struct sockaddr *)&to, sizeof(to)) == -1)
		die("connect");
	no_delay(fd);
	for (int i = 0; i < WARM_UP; i++)
		once(fd);

	samples_init(&rtt, SAMPLES);
	after = now_ns();
	end = after + (uint64_t)(atof(argv[3]) * NS_PER_S);
	while (after < end) {
		before = after;
		once(fd);
		after = now_ns();
		samples_add(&rtt, after - before);
	}
	printf("trips %zu\n", rtt.used);
	samples_print(&rtt);
	return 0;
}
