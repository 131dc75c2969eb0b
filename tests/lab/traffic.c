/* SPDX-License-Identifier: MIT */
/*
 * traffic.c - clients of answer.c that notice everything
 *
 *	traffic ADDRESS PORT [PATIENCE_S]
 *
 * Does as its input says, a line each, and answers each with one line:
 *	rate N		from now on opens N connections a second. Each sends a
 *			message, compares the answer byte by byte, shuts down
 *			and waits for the server to close. "rate N"
 *	hold N		keeps N connections open that do the same without the
 *			end, four times a second each. "holding N"
 *	check		after a further exchange on each of these:
 *			"held NAME=N ... lost=N", by the server that answers
 *	mark		how many of `rate` were answered by whom since the last
 *			mark: "since NAME=N ..."
 *	burst N		opens N connections, as soon as it can, and waits for
 *			their end: "burst NAME=N ... lost=N"
 *	sweep FIRST N	one connection from each of N addresses: "sweep NAME
 *			...", who answered each; a - is none
 *	stop		opens no more, waits for the end of those that are open,
 *			closes what is held, prints a summary and ends. So does
 *			SIGTERM
 * The summary:
 *	new N answered N failed N broken N wrong N exchanges N lost N slowest_ms
 *N failed: refused, reset or silent before it was open. broken: afterwards, or
 * closed too early. wrong: other bytes, or another server in one connection.
 * lost: those held of which any of it is true. Silent: for PATIENCE_S (30).
 * slowest: until a connection was open. Mishaps are told on stderr, too. The
 * exit status is 0 if there was none.
 */
#include <fcntl.h>
#include <signal.h>

#include "traffic_conn.h"

#define EVENTS	    256
#define IN_FLIGHT   64 /* of a burst: no listener's queue overflows */
#define EXCHANGE_NS 250000000ull

static uint64_t patience_ns = 30 * NS;
static volatile sig_atomic_t told_to_stop;

static unsigned rate, hold_target, next_to_talk;
static uint64_t rate_from_ns, rate_opened, exchange_due_ns;

/* The order that waits for its end. */
static enum order { NONE, HOLD, CHECK, BURSTING, SWEEPING, STOP } order;
static unsigned burst_left, burst_size;
static struct in_addr sweep_first;

/* Sorted by the names. */
static void say_by_server(const char *what, unsigned *by)
{
	printf("%s", what);
	for (;;) {
		int next = -1;

		for (unsigned i = 0; i < t.n_servers; i++) {
			if (by[i] && (next < 0 || strcmp(t.servers[i],
							 t.servers[next]) < 0))
				next = (int)i;
		}
		if (next < 0)
			return;
		printf(" %s=%u", t.servers[next], by[next]);
		by[next] = 0;
	}
}

static void said(void)
{
	putchar('\n');
	fflush(stdout);
}

/* Those held take turns, so that they do not all speak at once. */
static void talk(uint64_t now)
{
	for (; t.n_held > 0 && exchange_due_ns <= now; next_to_talk++) {
		struct conn *c = t.held[next_to_talk % t.n_held];

		exchange_due_ns += EXCHANGE_NS / t.n_held;
		if (c->stage == RESTING)
			conn_ask(c);
	}
}

static void give_up(uint64_t now)
{
	static uint64_t looked_ns;
	struct conn *next;

	if (now - looked_ns < NS / 2)
		return;
	looked_ns = now;
	for (struct conn *c = t.all.after; c != &t.all; c = next) {
		next = c->after;
		if (c->stage != RESTING && c->since_ns + patience_ns < now)
			conn_mishap(c, "silence", 0);
	}
}

static void open_more(uint64_t now)
{
	uint64_t due = (now - rate_from_ns) * rate / NS;

	for (; rate_opened < due; rate_opened++) {
		conn_open(NEW, NULL, 0);
	}
	while (order == HOLD && t.n_held < hold_target)
		conn_open(HELD, NULL, t.n_held);
	while (burst_left > 0 && t.n_burst < IN_FLIGHT) {
		unsigned number = burst_size - burst_left--;
		struct in_addr from = {
			htonl(ntohl(sweep_first.s_addr) + number)};

		conn_open(BURST, order == SWEEPING ? &from : NULL, number);
	}
}

static bool all_fresh(void)
{
	for (unsigned i = 0; i < t.n_held; i++) {
		if (!t.held[i]->fresh)
			return false;
	}
	return true;
}

static void say_held(void)
{
	unsigned by[SERVERS] = {0};

	for (unsigned i = 0; i < t.n_held; i++)
		by[t.held[i]->server]++;
	say_by_server("held", by);
	printf(" lost=%llu", (unsigned long long)t.lost);
}

static void say_swept(void)
{
	printf("sweep");
	for (unsigned i = 0; i < burst_size; i++)
		printf(" %s", t.swept[i] < 0 ? "-" : t.servers[t.swept[i]]);
	free(t.swept);
	t.swept = NULL;
}

/* Whether the order is done; then it has been answered. */
static void follow(void)
{
	bool bursting = burst_left > 0 || t.n_burst > 0;

	if (order == HOLD && t.n_held == hold_target && all_fresh()) {
		printf("holding %u", t.n_held);
	} else if (order == CHECK && all_fresh()) {
		say_held();
	} else if (order == BURSTING && !bursting) {
		say_by_server("burst", t.burst_by);
		printf(" lost=%u", t.burst_lost);
	} else if (order == SWEEPING && !bursting) {
		say_swept();
	} else {
		return;
	}
	order = NONE;
	said();
}

static void begin_burst(unsigned count)
{
	burst_left = burst_size = count;
	t.burst_lost = 0;
	memset(t.burst_by, 0, sizeof(t.burst_by));
}

static void begin_stop(void)
{
	struct conn *next;

	order = STOP;
	rate = 0;
	burst_left = 0;
	for (struct conn *c = t.all.after; c != &t.all; c = next) {
		next = c->after;
		if (c->kind == HELD && c->stage == RESTING)
			conn_close(c);
	}
}

static void obey(const char *line)
{
	char first[32];
	unsigned n;

	if (sscanf(line, "rate %u", &n) == 1) {
		rate = n;
		rate_from_ns = now_ns();
		rate_opened = 0;
		printf("rate %u", n);
		said();
	} else if (sscanf(line, "hold %u", &n) == 1) {
		hold_target = n < HELD_MAX ? n : HELD_MAX;
		exchange_due_ns = now_ns();
		order = HOLD;
	} else if (!strcmp(line, "check")) {
		for (unsigned i = 0; i < t.n_held; i++)
			t.held[i]->fresh = false;
		order = CHECK;
	} else if (!strcmp(line, "mark")) {
		say_by_server("since", t.since);
		said();
	} else if (sscanf(line, "burst %u", &n) == 1) {
		begin_burst(n);
		order = BURSTING;
	} else if (sscanf(line, "sweep %31s %u", first, &n) == 2) {
		begin_burst(n);
		sweep_first = endpoint(first, "0").sin_addr;
		t.swept = malloc(n * sizeof(*t.swept));
		if (!t.swept)
			die("malloc");
		memset(t.swept, -1, n * sizeof(*t.swept));
		order = SWEEPING;
	} else if (!strcmp(line, "stop")) {
		begin_stop();
	} else {
		fprintf(stderr, "no order: %s\n", line);
		exit(2);
	}
}

/* Orders, a line at a time; the next is read when this one is done. */
static void read_orders(void)
{
	static char text[4096];
	static size_t len;
	ssize_t n = read(STDIN_FILENO, text + len, sizeof(text) - 1 - len);
	char *newline;

	if (n > 0)
		len += (size_t)n;
	text[len] = '\0';
	while (order == NONE && (newline = strchr(text, '\n'))) {
		*newline = '\0';
		obey(text);
		len -= (size_t)(newline + 1 - text);
		memmove(text, newline + 1, len + 1);
	}
}

static void summary(void)
{
	printf("new %llu answered %llu failed %llu broken %llu wrong %llu "
	       "exchanges %llu lost %llu slowest_ms %llu",
	       (unsigned long long)t.opened, (unsigned long long)t.answered,
	       (unsigned long long)t.failed, (unsigned long long)t.broken,
	       (unsigned long long)t.wrong, (unsigned long long)t.exchanges,
	       (unsigned long long)t.lost,
	       (unsigned long long)t.slowest_ns / 1000000);
	said();
}

static void on_term(int sig)
{
	(void)sig;
	told_to_stop = 1;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_term};
	struct epoll_event events[EVENTS];

	if (argc < 3) {
		fprintf(stderr, "usage: traffic ADDRESS PORT [PATIENCE_S]\n");
		return 2;
	}
	t.to = endpoint(argv[1], argv[2]);
	if (argc > 3)
		patience_ns = strtoull(argv[3], NULL, 10) * NS;
	sigaction(SIGTERM, &action, NULL);
	fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
	t.epoll = epoll_create1(0);
	if (t.epoll == -1)
		die("epoll_create1");
	puts("traffic");
	fflush(stdout);
	while (order != STOP || t.all.after != &t.all) {
		int n = epoll_wait(t.epoll, events, EVENTS, 2);
		uint64_t now = now_ns();

		if (n == -1 && errno != EINTR)
			die("epoll_wait");
		for (int i = 0; i < n; i++)
			conn_event(events[i].data.ptr);
		if (told_to_stop && order != STOP)
			begin_stop();
		if (order != STOP) {
			open_more(now);
			read_orders();
		} else {
			begin_stop(); /* those that waited for an answer */
		}
		talk(now);
		give_up(now);
		follow();
	}
	summary();
	return t.failed || t.broken || t.wrong || t.lost ? 1 : 0;
}
