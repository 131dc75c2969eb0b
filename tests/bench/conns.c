/* SPDX-License-Identifier: MIT */
/*
 * conns.c - new connections a second, one HTTP request each
 *
 *	conns ADDRESS PORT SECONDS CONCURRENT
 *
 * Connects, sends a request, reads to the end, closes, connects again. The
 * server closes first. A connection counts when its answer was a 200; its time
 * is that from connect() to the end. One thread, one epoll.
 */
#include <fcntl.h>
#include <sys/epoll.h>

#include "tool.h"

#define EVENTS	   256
#define SAMPLES	   8000000
#define CONCURRENT 4096
#define STALLED_NS                                                 \
	(200 * 1000000ull) /* a retransmission: something was lost \
			    */

static const char REQUEST[] = "GET / HTTP/1.0\r\n\r\n";
static const char ANSWER[] = "HTTP/1.1 200";

struct conn {
	int fd;
	int asked, answered;
	uint64_t since;
};

struct load {
	int epoll;
	struct sockaddr_in to;
	uint64_t done, failed, stalled;
	struct samples times;
};

static void start(struct load *l, struct conn *c)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET,
				    .data.ptr = c};

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (c->fd == -1)
		die("socket");
	c->asked = c->answered = 0;
	c->since = now_ns();
	if (connect(c->fd, (struct sockaddr *)&l->to, sizeof(l->to)) == -1 &&
	    errno != EINPROGRESS)
		die("connect");
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &event) == -1)
		die("epoll_ctl");
}

static void restart(struct load *l, struct conn *c, int well)
{
	uint64_t took = now_ns() - c->since;

	if (well) {
		l->done++;
		samples_add(&l->times, took);
	} else {
		l->failed++;
	}
	if (took >= STALLED_NS)
		l->stalled++;
	close(c->fd);
	start(l, c);
}

static void on_event(struct load *l, struct conn *c, uint32_t events)
{
	char buffer[2048];
	ssize_t n;

	if (!c->asked && (events & EPOLLOUT)) {
		size_t len = sizeof(REQUEST) - 1;

		if (send(c->fd, REQUEST, len, MSG_NOSIGNAL) != (ssize_t)len) {
			restart(l, c, 0);
			return;
		}
		c->asked = 1;
	}
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	while ((n = recv(c->fd, buffer, sizeof(buffer), 0)) > 0)
		if (n >= (ssize_t)sizeof(ANSWER) &&
		    memcmp(buffer, ANSWER, sizeof(ANSWER) - 1) == 0)
			c->answered = 1;
	if (n == 0)
		restart(l, c, c->answered);
	else if (errno != EAGAIN)
		restart(l, c, 0);
}

static void run(struct load *l, uint64_t seconds)
{
	struct epoll_event events[EVENTS];
	uint64_t begin = now_ns(), now = begin;

	while (now - begin < seconds * NS_PER_S) {
		int n = epoll_wait(l->epoll, events, EVENTS, 100);

		for (int i = 0; i < n; i++)
			on_event(l, events[i].data.ptr, events[i].events);
		now = now_ns();
	}
	printf("count %llu\nper_s %.1f\nfailed %llu\nstalled %llu\n",
	       (unsigned long long)l->done,
	       (double)l->done * NS_PER_S / (double)(now - begin),
	       (unsigned long long)l->failed, (unsigned long long)l->stalled);
	samples_print(&l->times);
}

int main(int argc, char *argv[])
{
	static struct conn conns[CONCURRENT];
	struct load l = {0};
	int concurrent;

	concurrent = argc == 5 ? atoi(argv[4]) : 0;
	if (concurrent < 1 || concurrent > CONCURRENT) {
		fprintf(stderr,
			"usage: conns ADDRESS PORT SECONDS CONCURRENT\n");
		return 2;
	}
	l.to = endpoint(argv[1], argv[2]);
	l.epoll = epoll_create1(0);
	if (l.epoll == -1)
		die("epoll");
	samples_init(&l.times, SAMPLES);
	for (int i = 0; i < concurrent; i++)
		start(&l, &conns[i]);
	run(&l, (uint64_t)atoi(argv[3]));
	return 0;
}
