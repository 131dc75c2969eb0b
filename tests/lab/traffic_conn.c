/* SPDX-License-Identifier: MIT */
#include "traffic_conn.h"

#include <time.h>

#include "traffic.h"

#define TOLD 20 /* mishaps that stderr names */

struct traffic t = {.all = {.before = &t.all, .after = &t.all}};

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS + (uint64_t)ts.tv_nsec;
}

static uint64_t random_word(void)
{
	static uint64_t x;

	if (!x)
		x = now_ns() | 1;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static void drop(struct conn *c)
{
	c->before->after = c->after;
	c->after->before = c->before;
	if (c->kind == HELD) {
		t.held[c->number] = t.held[--t.n_held];
		t.held[c->number]->number = c->number;
	} else if (c->kind == BURST) {
		t.n_burst--;
	}
	close(c->fd);
	free(c);
}

void conn_mishap(struct conn *c, const char *what, int error)
{
	static const char *const stages[] = {"connecting", "waiting", "resting",
					     "closing"};
	struct sockaddr_in local = {0};
	socklen_t len = sizeof(local);
	static int told;
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	getsockname(c->fd, (struct sockaddr *)&local, &len);
	if (told++ < TOLD)
		fprintf(stderr,
			"%lld.%03ld %s port %u server %s, %s for %.3f s: %s\n",
			(long long)ts.tv_sec, ts.tv_nsec / 1000000,
			c->kind == HELD ? "held" : "new", ntohs(local.sin_port),
			c->server < 0 ? "-" : t.servers[c->server],
			stages[c->stage],
			(double)(now_ns() - c->since_ns) / 1e9,
			error ? strerror(error) : what);
	if (c->kind == HELD)
		t.lost++;
	else if (c->kind == BURST)
		t.burst_lost++;
	if (!strcmp(what, "wrong"))
		t.wrong++;
	else if (c->stage == CONNECTING)
		t.failed++;
	else
		t.broken++;
	drop(c);
}

static void stage(struct conn *c, enum stage s)
{
	c->stage = s;
	c->since_ns = now_ns();
}

void conn_ask(struct conn *c)
{
	for (size_t i = 0; i < MESSAGE; i += sizeof(uint64_t)) {
		uint64_t word = random_word();

		memcpy(c->message + i, &word, sizeof(word));
	}
	c->got = 0;
	stage(c, WAITING);
	if (send(c->fd, c->message, MESSAGE, MSG_NOSIGNAL) != MESSAGE)
		conn_mishap(c, "sent in part", errno);
}

static int server_number(const char *name)
{
	for (unsigned i = 0; i < t.n_servers; i++) {
		if (!strncmp(t.servers[i], name, NAME))
			return (int)i;
	}
	if (t.n_servers == SERVERS || name[NAME - 1] != '\0')
		return -1;
	memcpy(t.servers[t.n_servers], name, NAME);
	return (int)t.n_servers++;
}

void conn_close(struct conn *c)
{
	if (shutdown(c->fd, SHUT_WR) == -1)
		conn_mishap(c, "shutdown", errno);
	else
		stage(c, CLOSING);
}

static void on_answer(struct conn *c)
{
	int server = server_number(c->answer);

	if (server < 0 || (c->server >= 0 && c->server != server) ||
	    memcmp(c->answer + NAME, c->message, MESSAGE)) {
		conn_mishap(c, "wrong", 0);
		return;
	}
	c->server = server;
	c->fresh = true;
	if (c->kind == HELD) {
		t.exchanges++;
		stage(c, RESTING);
		return;
	}
	conn_close(c);
}

static void on_end(struct conn *c)
{
	if (c->stage != CLOSING) {
		conn_mishap(c, "closed by the server", 0);
		return;
	}
	if (c->kind != HELD)
		t.answered++;
	if (c->kind == NEW) {
		t.since[c->server]++;
	} else if (c->kind == BURST) {
		t.burst_by[c->server]++;
		if (t.swept)
			t.swept[c->number] = c->server;
	}
	drop(c);
}

void conn_event(struct conn *c)
{
	ssize_t n;

	if (c->stage == CONNECTING) {
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
		socklen_t len = sizeof(int);
		int error = 0;

		getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
		if (error) {
			conn_mishap(c, "connect", error);
			return;
		}
		if (now_ns() - c->since_ns > t.slowest_ns)
			t.slowest_ns = now_ns() - c->since_ns;
		epoll_ctl(t.epoll, EPOLL_CTL_MOD, c->fd, &event);
		conn_ask(c);
		return;
	}
	n = recv(c->fd, c->answer + c->got, ANSWER - c->got, 0);
	if (n == -1 && errno == EAGAIN)
		return;
	if (n == -1) {
		conn_mishap(c, "receive", errno);
	} else if (n == 0) {
		on_end(c);
	} else if (c->stage != WAITING) {
		conn_mishap(c, "wrong", 0);
	} else {
		c->got += (size_t)n;
		if (c->got == ANSWER)
			on_answer(c);
	}
}

void conn_open(enum kind kind, const struct in_addr *from, unsigned number)
{
	struct sockaddr_in local = {.sin_family = AF_INET};
	struct conn *c = calloc(1, sizeof(*c));
	int on = 1;

	if (!c)
		die("calloc");
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (c->fd == -1)
		die("socket");
	no_delay(c->fd);
	c->kind = kind;
	c->server = -1;
	c->number = number;
	c->before = t.all.before;
	c->after = &t.all;
	t.all.before->after = c;
	t.all.before = c;
	if (kind == HELD)
		t.held[t.n_held++] = c;
	else if (kind == BURST)
		t.n_burst++;
	if (kind != HELD)
		t.opened++;
	stage(c, CONNECTING);
	if (from) {
		local.sin_addr = *from;
		setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on,
			   sizeof(on));
		if (bind(c->fd, (struct sockaddr *)&local, sizeof(local)) == -1)
			die("bind");
	}
	if (connect(c->fd, (struct sockaddr *)&t.to, sizeof(t.to)) == -1 &&
	    errno != EINPROGRESS) {
		if (errno == EADDRNOTAVAIL) /* the client's own ports */
			die("connect");
		conn_mishap(c, "connect", errno);
		return;
	}
	watch(t.epoll, c->fd, EPOLLOUT, c);
}
