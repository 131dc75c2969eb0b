/* SPDX-License-Identifier: MIT */
/*
 * chat_http.c - so many HTTP requests to the chat at once
 *
 *	chat_http ADDRESS PORT COUNT SECONDS [ROOM]
 *
 * Opens COUNT connections, all before it looks at the first answer, and asks
 * once on each: POST /webhook to ROOM, or GET / without one. The time of a
 * request is that from connect() to the last byte of its answer. Those that
 * have none after SECONDS are given up.
 *
 * Prints how many were answered (200), refused (503 or 429), failed (any other
 * answer, a reset, a connection refused) or unanswered; how many different ids
 * the messages got; and the times of those answered.
 */
#include "chat_load.h"

#define EVENTS	  256
#define COUNT_MAX 10000
#define HEAD_MAX  1024
#define IDS_MAX	  1000000ul

struct request {
	int fd;
	int asked;
	uint64_t since;
	size_t got, whole; /* bytes of the answer; whole 0: not known yet */
	unsigned status;
	char head[HEAD_MAX]; /* what came first, with a NUL */
};

struct load {
	int epoll;
	char ask[512];
	size_t ask_len;
	unsigned open, answered, refused, failed, ids;
	uint8_t *known; /* SEQ of ids; NULL: no messages */
	struct samples times;
};

static void make_request(struct load *l, const char *room)
{
	char body[256];
	int len;

	if (room) {
		len = snprintf(body, sizeof(body),
			       "{\"roomId\":\"%s\",\"message\":\"one of many\","
			       "\"sender\":\"load\"}",
			       room);
		len = snprintf(l->ask, sizeof(l->ask),
			       "POST /webhook HTTP/1.1\r\nHost: chat\r\n"
			       "Content-Type: application/json\r\n"
			       "Content-Length: %d\r\n\r\n%s",
			       len, body);
	} else {
		len = snprintf(l->ask, sizeof(l->ask),
			       "GET / HTTP/1.1\r\nHost: chat\r\n\r\n");
	}
	if (len < 0 || (size_t)len >= sizeof(l->ask)) {
		errno = EMSGSIZE;
		die(room);
	}
	l->ask_len = (size_t)len;
}

/* Of a message: {"success":true,"id":"EPOCH-SEQ",... */
static void note_id(struct load *l, const struct request *r)
{
	const char *id = strstr(r->head, "\"id\":\"");
	const char *dash = id ? strchr(id, '-') : NULL;
	unsigned long seq = dash ? strtoul(dash + 1, NULL, 10) : IDS_MAX;

	if (seq < IDS_MAX && !l->known[seq]) {
		l->known[seq] = 1;
		l->ids++;
	}
}

static void finish(struct load *l, struct request *r)
{
	if (r->status == 200 && r->whole && r->got == r->whole) {
		l->answered++;
		samples_add(&l->times, now_ns() - r->since);
		if (l->known)
			note_id(l, r);
	} else if (r->status == 503 || r->status == 429) {
		l->refused++;
	} else {
		l->failed++;
	}
	if (r->fd != -1)
		close(r->fd);
	r->fd = -1;
	l->open--;
}

static void start(struct load *l, struct request *r,
		  const struct sockaddr_in *to)
{
	r->since = now_ns();
	l->open++;
	r->fd = connect_soon(l->epoll, to, EPOLLIN | EPOLLOUT | EPOLLET, r);
	if (r->fd == -1)
		finish(l, r);
}

static void read_head(struct request *r)
{
	static const char length[] = "\r\nContent-Length: ";
	const char *end = strstr(r->head, "\r\n\r\n");
	const char *at = strstr(r->head, length);

	(void)sscanf(r->head, "HTTP/1.1 %u", &r->status);
	if (end && at && at < end)
		r->whole = (size_t)(end + 4 - r->head) +
			   strtoul(at + sizeof(length) - 1, NULL, 10);
}

/* Returns false at its end. */
static int read_answer(struct request *r)
{
	static char bytes[65536];
	ssize_t n;

	while ((n = recv(r->fd, bytes, sizeof(bytes), 0)) > 0) {
		if (r->got < HEAD_MAX - 1) {
			size_t room = HEAD_MAX - 1 - r->got;

			memcpy(r->head + r->got, bytes,
			       (size_t)n < room ? (size_t)n : room);
		}
		r->got += (size_t)n;
		if (!r->whole)
			read_head(r);
		if (r->whole && r->got >= r->whole)
			return 0;
	}
	return n == -1 && errno == EAGAIN;
}

static void on_event(struct load *l, struct request *r, uint32_t events)
{
	if (r->fd == -1)
		return;
	if (!r->asked && (events & EPOLLOUT) && !(events & EPOLLERR)) {
		r->asked = send(r->fd, l->ask, l->ask_len, MSG_NOSIGNAL) ==
			   (ssize_t)l->ask_len;
		if (!r->asked) {
			finish(l, r);
			return;
		}
	}
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !read_answer(r))
		finish(l, r);
}

static void run(struct load *l, struct request *requests, unsigned count,
		const struct sockaddr_in *to, uint64_t limit_ns)
{
	struct epoll_event events[EVENTS];
	uint64_t begin = now_ns(), opened;

	for (unsigned i = 0; i < count; i++)
		start(l, &requests[i], to);
	opened = now_ns();
	while (l->open > 0 && now_ns() - begin < limit_ns) {
		int n = epoll_wait(l->epoll, events, EVENTS, 100);

		for (int i = 0; i < n; i++)
			on_event(l, events[i].data.ptr, events[i].events);
	}
	printf("at_once %u\nanswered %u\nrefused %u\nfailed %u\n"
	       "unanswered %u\nids %u\n",
	       count, l->answered, l->refused, l->failed, l->open, l->ids);
	print_ms("opening_ms", (double)(opened - begin));
	print_ms("all_ms", (double)(now_ns() - begin));
	print_times(&l->times);
}

int main(int argc, char *argv[])
{
	static struct request requests[COUNT_MAX];
	struct load l = {0};
	struct sockaddr_in to;
	int count = argc == 5 || argc == 6 ? atoi(argv[3]) : 0;

	if (count < 1 || count > COUNT_MAX) {
		fprintf(stderr, "usage: chat_http ADDRESS PORT COUNT SECONDS "
				"[ROOM]\n");
		return 2;
	}
	to = endpoint(argv[1], argv[2]);
	make_request(&l, argc == 6 ? argv[5] : NULL);
	l.epoll = epoll_create1(0);
	l.known = argc == 6 ? calloc(IDS_MAX, 1) : NULL;
	if (l.epoll == -1 || (argc == 6 && !l.known))
		die("start");
	samples_init(&l.times, (size_t)count);
	run(&l, requests, (unsigned)count, &to,
	    (uint64_t)atoi(argv[4]) * NS_PER_S);
	return 0;
}
