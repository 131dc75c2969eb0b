/* SPDX-License-Identifier: MIT */
/*
 * rtt.c - how long a message and its answer take
 *
 *	rtt ADDRESS PORT SECONDS
 *
 * Sends short messages to answer.c by a few connections in turn, one each
 * millisecond at most, and waits for each answer. Prints at the end
 *	rtt N p50_us N p99_us N max_us N
 * It fails if a connection ends.
 */
#include <time.h>

#include "traffic.h"

#define CONNECTIONS 8
#define SAMPLES_MAX (1u << 20)
#define NS	    1000000000ull

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

static int connect_to(const char *address, const char *port)
{
	const struct sockaddr_in at = endpoint(address, port);
	const int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (connect(fd, (const struct sockaddr *)&at, sizeof(at)) == -1)
		die("connect");
	no_delay(fd);
	return fd;
}

/* One message, and its whole answer; in microseconds. */
static uint32_t ask(int fd)
{
	static char message[MESSAGE], answer[ANSWER];
	const uint64_t begin = now();

	if (send(fd, message, MESSAGE, MSG_NOSIGNAL) != MESSAGE ||
	    recv(fd, answer, ANSWER, MSG_WAITALL) != ANSWER)
		die("an exchange");
	return (uint32_t)((now() - begin) / 1000);
}

static int by_size(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

int main(int argc, char *argv[])
{
	static uint32_t us[SAMPLES_MAX];
	int fds[CONNECTIONS];
	unsigned n = 0;
	uint64_t end;

	if (argc != 4)
		return 2;
	for (int i = 0; i < CONNECTIONS; i++)
		fds[i] = connect_to(argv[1], argv[2]);
	end = now() + (uint64_t)atoi(argv[3]) * NS;
	while (now() < end && n < SAMPLES_MAX) {
		us[n] = ask(fds[n % CONNECTIONS]);
		if (us[n++] < 1000)
			usleep(1000);
	}
	qsort(us, n, sizeof(*us), by_size);
	printf("rtt %u p50_us %u p99_us %u max_us %u\n", n, us[n / 2],
	       us[n - 1 - n / 100], us[n - 1]);
	return 0;
}
