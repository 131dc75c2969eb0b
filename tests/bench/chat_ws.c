/* SPDX-License-Identifier: MIT */
/*
 * chat_ws.c - many WebSocket clients in one room of the chat
 *
 *	chat_ws ADDRESS PORT CLIENTS SPEAKERS ROOM
 *
 * Connects CLIENTS clients, a few at a time, and says `joined` when all of them
 * are in ROOM. Then takes orders from standard input (a pipe):
 *
 *	say RATE SECONDS
 *
 * The first SPEAKERS clients speak in turn, RATE messages a second in all. When
 * every client has heard all of them, or nothing is heard for STALLED_S, it
 * prints the figures and `done`. A time is that from send() to the moment when
 * a client's message is read; one thread reads for all clients, so it includes
 * what that costs. The end of standard input ends it.
 *
 * Ids are EPOCH-SEQ, SEQ dense. So a client that hears each SEQ after the one
 * before it, of messages that all clients know by the same SEQ, hears each once
 * and in the order of all others. What is not so is counted.
 */
#include "chat_load.h"

#include <fcntl.h>

#define EVENTS	     256
#define CLIENTS_MAX  10000
#define SAID_MAX     100000 /* messages, of all orders together */
#define SAMPLES	     8000000
#define AT_ONCE	     64 /* clients on their way into the room */
#define READ_BYTES   (256 * 1024)
#define STALLED_S    20
#define NOT_SAID     UINT32_MAX
#define OP_TEXT	     0x81
#define OP_CLOSE     0x88
#define MASKED	     0x80
#define LONG_FRAME   126
#define HUGE_FRAME   127
#define ANSWER_OF_WS "HTTP/1.1 101"

enum phase { OUT, CONNECTING, UPGRADING, JOINING, HERE, LOST };

struct client {
	int fd;
	enum phase phase;
	uint64_t epoch, seq; /* of the last message heard */
	uint32_t heard;
	char *rest; /* half a frame; owned */
	size_t rest_len;
};

struct load {
	int epoll;
	struct sockaddr_in to;
	const char *room;
	char joined[80]; /* how the answer of joining it begins */
	struct client *clients;
	unsigned count, speakers, begun, here, lost;
	struct samples times;

	uint64_t sent_ns[SAID_MAX];   /* by number */
	uint32_t number_of[SAID_MAX]; /* by SEQ */
	uint32_t said, acked;
	uint64_t heard, doubled, disordered, gaps, errors;
	uint64_t heard_ns; /* when anything was heard last */
};

/* --------------------------------------------------------------- sending */

static void send_all(struct client *c, const void *bytes, size_t len)
{
	if (send(c->fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
		die("send"); /* a speaker may say so little that it fits */
}

/* The mask is of zeros: legal, and nobody here needs another one. */
static void send_text(struct client *c, const char *text)
{
	uint8_t frame[1024] = {OP_TEXT};
	size_t len = strlen(text), head = 2;

	if (len < LONG_FRAME) {
		frame[1] = (uint8_t)(MASKED | len);
	} else {
		frame[1] = MASKED | LONG_FRAME;
		frame[2] = (uint8_t)(len >> 8);
		frame[3] = (uint8_t)len;
		head = 4;
	}
	head += 4;
	memcpy(frame + head, text, len);
	send_all(c, frame, head + len);
}

static void begin_upgrade(struct client *c)
{
	static const char ask[] = "GET /ws HTTP/1.1\r\nHost: chat\r\n"
				  "Connection: Upgrade\r\n"
				  "Upgrade: websocket\r\n"
				  "Sec-WebSocket-Version: 13\r\n"
				  "Sec-WebSocket-Protocol: chat.1\r\n"
				  "Sec-WebSocket-Key: "
				  "AQIDBAUGBwgJCgsMDQ4PEA==\r\n\r\n";

	send_all(c, ask, sizeof(ask) - 1);
	c->phase = UPGRADING;
}

static void say(struct load *l)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "{\"t\":\"msg\",\"room\":\"%s\",\"mid\":\"load%012x%08x\","
		 "\"text\":\"number %u, as long as people's lines are\"}",
		 l->room, (unsigned)getpid(), l->said, l->said);
	l->sent_ns[l->said] = now_ns();
	send_text(&l->clients[l->said % l->speakers], text);
	l->said++;
}

/* --------------------------------------------------------------- hearing */

static void lose(struct load *l, struct client *c, const char *why)
{
	if (l->lost++ == 0)
		fprintf(stderr, "a client is lost: %s\n", why);
	l->here -= c->phase == HERE;
	c->phase = LOST;
	close(c->fd);
}

/* The SEQ that follows, or the first one of a later epoch. */
static void take_id(struct load *l, struct client *c, uint64_t epoch,
		    uint64_t seq)
{
	if (epoch < c->epoch || (epoch == c->epoch && seq <= c->seq)) {
		l->doubled++;
		return;
	}
	if (seq != (epoch == c->epoch ? c->seq + 1 : 1))
		l->disordered++;
	c->epoch = epoch;
	c->seq = seq;
	c->heard++;
	l->heard++;
}

static void hear_message(struct load *l, struct client *c, const char *text)
{
	const char *id = strstr(text, "\"id\":\""),
		   *body = strstr(text, "\"text\":\"number ");
	unsigned long long epoch, seq;
	unsigned number;

	if (!id || !body || sscanf(id + 6, "%llu-%llu", &epoch, &seq) != 2 ||
	    sscanf(body + 15, "%u", &number) != 1 || number >= l->said ||
	    seq >= SAID_MAX) {
		l->errors++;
		return;
	}
	if (l->number_of[seq] == NOT_SAID)
		l->number_of[seq] = number;
	l->disordered += l->number_of[seq] != number;
	take_id(l, c, epoch, seq);
	l->heard_ns = now_ns();
	samples_add(&l->times, l->heard_ns - l->sent_ns[number]);
}

static int begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* Its own last id: nothing before it will come. */
static void hear_joined(struct load *l, struct client *c, const char *text)
{
	const char *head = strstr(text, "\"head\":\"");
	unsigned long long epoch = 0, seq = 0;

	if (head)
		(void)sscanf(head + 8, "%llu-%llu", &epoch, &seq);
	c->epoch = epoch;
	c->seq = seq;
	c->phase = HERE;
	l->here++;
}

static void hear(struct load *l, struct client *c, const char *text)
{
	if (begins(text, "{\"t\":\"message\","))
		hear_message(l, c, text);
	else if (c->phase == JOINING && begins(text, l->joined))
		hear_joined(l, c, text);
	else if (begins(text, "{\"t\":\"ack\","))
		l->acked++;
	else if (begins(text, "{\"t\":\"gap\","))
		l->gaps++;
	else if (begins(text, "{\"t\":\"error\",") && l->errors++ == 0)
		fprintf(stderr, "%s\n", text);
}

/* Bytes of the frame at the start; 0: it is not complete. */
static size_t take_frame(struct load *l, struct client *c, char *at, size_t len)
{
	const uint8_t *b = (uint8_t *)at;
	size_t head = 2, body;
	char kept;

	if (len < 4)
		return 0;
	body = b[1];
	if (body == LONG_FRAME) {
		body = (size_t)b[2] << 8 | b[3];
		head = 4;
	} else if (body == HUGE_FRAME) {
		errno = EMSGSIZE;
		die("frame");
	}
	if (len < head + body)
		return 0;
	/* A string for a moment; there is a byte behind the last one. */
	kept = at[head + body];
	at[head + body] = '\0';
	if (b[0] == OP_CLOSE)
		lose(l, c, body > 2 ? at + head + 2 : "closed");
	else if (b[0] == OP_TEXT)
		hear(l, c, at + head);
	at[head + body] = kept;
	return head + body;
}

static void keep_rest(struct client *c, const char *at, size_t len)
{
	free(c->rest);
	c->rest = NULL;
	c->rest_len = len;
	if (len == 0)
		return;
	c->rest = malloc(len);
	if (!c->rest)
		die("memory");
	memcpy(c->rest, at, len);
}

/* Bytes of the answer to the upgrade; 0: it is not complete. */
static size_t take_upgraded(struct load *l, struct client *c, char *at,
			    size_t len)
{
	const char *end = memmem(at, len, "\r\n\r\n", 4);
	char hello[256];

	if (!end)
		return 0;
	if (!begins(at, ANSWER_OF_WS)) {
		lose(l, c, "no WebSocket");
		return len;
	}
	snprintf(
		hello, sizeof(hello),
		"{\"t\":\"hello\",\"nick\":\"%s-%u\",\"rooms\":[{\"id\":\"%s\"}]}",
		l->room, (unsigned)(c - l->clients), l->room);
	send_text(c, hello);
	c->phase = JOINING;
	return (size_t)(end + 4 - at);
}

static void read_some(struct load *l, struct client *c)
{
	static char bytes[READ_BYTES + 1];
	size_t len = c->rest_len, at = 0, taken;
	ssize_t n;

	if (len > 0)
		memcpy(bytes, c->rest, len);
	n = recv(c->fd, bytes + len, READ_BYTES - len, 0);
	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0) {
		lose(l, c, n == 0 ? "ended" : strerror(errno));
		return;
	}
	len += (size_t)n;
	do {
		taken = c->phase == UPGRADING
				? take_upgraded(l, c, bytes + at, len - at)
				: take_frame(l, c, bytes + at, len - at);
		at += taken;
	} while (taken > 0 && at < len && c->phase != LOST);
	keep_rest(c, bytes + at, c->phase == LOST ? 0 : len - at);
}

static void on_event(struct load *l, struct client *c, uint32_t events)
{
	struct epoll_event reading = {.events = EPOLLIN, .data.ptr = c};

	if (c->phase == LOST)
		return;
	if (c->phase == CONNECTING) {
		if (events & (EPOLLERR | EPOLLHUP)) {
			lose(l, c, "refused");
			return;
		}
		begin_upgrade(c);
		epoll_ctl(l->epoll, EPOLL_CTL_MOD, c->fd, &reading);
		return;
	}
	read_some(l, c);
}

/* Returns true if standard input has something; it is the event of NULL. */
static int turn(struct load *l, int wait_ms)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(l->epoll, events, EVENTS, wait_ms), ordered = 0;

	for (int i = 0; i < n; i++)
		if (events[i].data.ptr)
			on_event(l, events[i].data.ptr, events[i].events);
		else
			ordered = 1;
	return ordered;
}

/* ---------------------------------------------------------------- phases */

static void join_all(struct load *l)
{
	uint64_t begin = now_ns();

	while (l->here + l->lost < l->count) {
		while (l->begun < l->count &&
		       l->begun - l->here - l->lost < AT_ONCE) {
			struct client *c = &l->clients[l->begun++];

			c->phase = CONNECTING;
			c->fd = connect_soon(l->epoll, &l->to, EPOLLOUT, c);
			if (c->fd == -1)
				die("connect");
		}
		(void)turn(l, 1000);
	}
	print_ms("joining_ms", (double)(now_ns() - begin));
	printf("joined %u\n", l->here);
	fflush(stdout);
}

static void say_all(struct load *l, unsigned rate, unsigned count)
{
	uint64_t begin = now_ns(), each = NS_PER_S / rate;

	l->heard_ns = begin;
	for (unsigned i = 0; i < count;) {
		uint64_t due = begin + i * each, now = now_ns();

		if (now < due) {
			(void)turn(l, (int)((due - now) / NS_PER_MS) + 1);
			continue;
		}
		say(l);
		i++;
		(void)turn(l, 0);
	}
}

static void print_heard(struct load *l, uint64_t expected)
{
	printf("clients %u\nlost %u\nsaid %u\nacked %u\nheard %llu\n"
	       "missing %lld\ndouble %llu\ndisordered %llu\ngaps %llu\n"
	       "errors %llu\n",
	       l->here, l->lost, l->said, l->acked,
	       (unsigned long long)l->heard, (long long)(expected - l->heard),
	       (unsigned long long)l->doubled,
	       (unsigned long long)l->disordered, (unsigned long long)l->gaps,
	       (unsigned long long)l->errors);
	print_times(&l->times);
	printf("done\n");
	fflush(stdout);
	l->times.used = 0;
}

static void order(struct load *l, unsigned rate, unsigned seconds)
{
	uint64_t expected = (uint64_t)(l->said + rate * seconds) * l->count;

	if (rate < 1 || l->said + rate * seconds > SAID_MAX) {
		errno = ERANGE;
		die("say");
	}
	say_all(l, rate, rate * seconds);
	while ((l->heard < expected || l->acked < l->said) &&
	       now_ns() - l->heard_ns < STALLED_S * NS_PER_S)
		(void)turn(l, 100);
	print_heard(l, expected);
}

static void take_orders(struct load *l)
{
	struct epoll_event event = {.events = EPOLLIN};
	char line[64];
	unsigned rate, seconds;
	ssize_t n;

	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event) == -1)
		die("standard input must be a pipe");
	for (;;) {
		if (!turn(l, -1))
			continue;
		n = read(STDIN_FILENO, line, sizeof(line) - 1);
		if (n <= 0)
			return;
		line[n] = '\0';
		if (sscanf(line, "say %u %u", &rate, &seconds) != 2) {
			errno = EINVAL;
			die(line);
		}
		order(l, rate, seconds);
	}
}

int main(int argc, char *argv[])
{
	static struct load l;
	int count = argc == 6 ? atoi(argv[3]) : 0;
	int speakers = argc == 6 ? atoi(argv[4]) : 0;

	if (count < 1 || count > CLIENTS_MAX || speakers < 1 ||
	    speakers > count) {
		fprintf(stderr, "usage: chat_ws ADDRESS PORT CLIENTS SPEAKERS "
				"ROOM\n");
		return 2;
	}
	end_well();
	l.to = endpoint(argv[1], argv[2]);
	l.count = (unsigned)count;
	l.speakers = (unsigned)speakers;
	l.room = argv[5];
	snprintf(l.joined, sizeof(l.joined),
		 "{\"t\":\"joined\",\"room\":\"%s\",", l.room);
	l.clients = calloc((size_t)count, sizeof(*l.clients));
	l.epoll = epoll_create1(0);
	if (!l.clients || l.epoll == -1)
		die("start");
	memset(l.number_of, 0xff, sizeof(l.number_of));
	samples_init(&l.times, SAMPLES);
	join_all(&l);
	take_orders(&l);
	return 0;
}
