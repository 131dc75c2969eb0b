/* SPDX-License-Identifier: MIT */
/* See room.h: who is here, and how a line reaches all of them. */
#include "client.h"
#include "report.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Places for clients that are refused, or leave while the room is full. */
#define LEAVING_PLACES 64
/* Reader threads need little stack; thousands must fit a 32-bit machine. */
#define READER_STACK_BYTES ((size_t)128 * 1024)

int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t now_ms(void)
{
	return now_us() / 1000;
}

void courier_wake(struct room *r)
{
	const uint64_t one = 1;

	/* Fails only if the counter is full; the courier is awake then. */
	if (write(r->wake_fd, &one, sizeof(one)) == -1)
		return;
}

/*
 * A speaker above its share waits for readers that are behind, or until it has
 * a share again. The readers never cause a long wait, see
 * client_awaited_until_ms(). Returns false if c itself must go.
 */
static bool await_turn(struct client *c, size_t len)
{
	struct room *r = c->room;
	int64_t now = now_us(), wait;

	while (client_is_present(c) && r->awaited > 0 &&
	       (wait = pace_wait_us(&r->pace, &c->pace, now)) > 0) {
		const int64_t until = now + wait;
		const struct timespec at = {
			.tv_sec = (time_t)(until / 1000000),
			.tv_nsec = (long)(until % 1000000) * 1000,
		};

		pthread_cond_timedwait(&r->calm, &r->lock, &at);
		now = now_us();
	}
	pace_spend(&r->pace, &c->pace, len, now);
	return client_is_present(c);
}

/* Says complete lines to everybody. Returns false if c itself must go. */
bool room_say(struct client *c, const char *lines, size_t len)
{
	struct room *r = c->room;
	struct client *list = NULL;
	bool present;

	pthread_mutex_lock(&r->lock);
	present = await_turn(c, len);
	if (present)
		client_settle(c);
	for (unsigned i = 0; present && i < r->count; i++) {
		struct client *to = r->clients[i];

		if (!client_is_present(to))
			continue;
		client_queue_lines(to, lines, len);
		client_claim(to, &list);
	}
	pthread_mutex_unlock(&r->lock);
	clients_send(list);
	return present;
}

void room_settle(struct client *c)
{
	struct client *list = NULL;

	pthread_mutex_lock(&c->room->lock);
	client_settle(c);
	client_claim(c, &list);
	pthread_mutex_unlock(&c->room->lock);
	clients_send(list);
}

/* Answers a probe with its own text, with a newline if it had one. */
void room_answer(struct client *c, enum frame probe)
{
	struct room *r = c->room;
	struct client *list = NULL;
	const char *answer = CHAT_PROBE "\n";

	if (probe == FRAME_PROBE)
		answer = CHAT_PROBE;
	else if (probe == FRAME_PROBE_END)
		answer = "\n";
	pthread_mutex_lock(&r->lock);
	r->probes += probe != FRAME_PROBE_END;
	/* A line said since then has already ended an open answer. */
	if (client_is_present(c) && (probe != FRAME_PROBE_END || c->mid_line)) {
		client_queue_answer(c, answer, strlen(answer));
		c->mid_line = probe == FRAME_PROBE;
	}
	client_claim(c, &list);
	pthread_mutex_unlock(&r->lock);
	clients_send(list);
}

/* The peer left (error 0) or its connection broke (errno). */
void room_left(struct client *c, int error)
{
	struct room *r = c->room;
	bool announced;

	pthread_mutex_lock(&r->lock);
	announced = c->phase == CLIENT_HERE;
	if (client_is_present(c))
		client_leave(c, NULL);
	if (announced && error)
		report_line(r->report, "client %s lost: %s, clients=%u",
			    c->peer, strerror(error), r->here);
	else if (announced)
		report_line(r->report, "client %s left, clients=%u", c->peer,
			    r->here);
	pthread_mutex_unlock(&r->lock);
}

/* There is no place even for a client that is only told why it is refused. */
static void turn_away(int fd)
{
	static const char notice[] = CHAT_SERVER_NICK "full, try again later\n";

	send(fd, notice, sizeof(notice) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

/* The client used the server's name. */
void room_refuse_name(struct client *c)
{
	struct room *r = c->room;

	pthread_mutex_lock(&r->lock);
	if (client_is_present(c)) {
		client_refuse(c, "the nickname chat_serv is the server's own, "
				 "take another");
		report_line(r->report,
			    "client %s refused: it took the server's name, "
			    "clients=%u",
			    c->peer, r->here);
	}
	pthread_mutex_unlock(&r->lock);
}

static struct client *client_new(struct room *r, int fd, const char *peer)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->room = r;
	c->fd = fd;
	c->phase = CLIENT_CUT; /* until room_admit() decides */
	snprintf(c->peer, sizeof(c->peer), "%s", peer);
	framer_init(&c->framer, CHAT_LINE_MAX, true);
	return c;
}

/* Refuses the client and tells it the reason; the caller holds the lock. */
static void turn_down(struct client *c, const char *reason)
{
	char sentence[80];

	snprintf(sentence, sizeof(sentence), "%s, try again later", reason);
	client_refuse(c, sentence);
	report_line(c->room->report, "client %s refused: %s, clients=%u",
		    c->peer, reason, c->room->here);
}

/* Without the lock: a thousand connections at once must not block others. */
static void start_reader(struct client *c)
{
	struct room *r = c->room;
	bool made = pthread_create(&c->reader, &r->reader_attr, reader_main,
				   c) == 0;

	pthread_mutex_lock(&r->lock);
	c->has_reader = made;
	c->starting = false;
	if (!made)
		c->reading = false;
	if (!made && c->phase == CLIENT_ARRIVING)
		turn_down(c, "no thread to be had");
	if (!client_is_present(c))
		courier_wake(r); /* the courier waits for .starting */
	pthread_mutex_unlock(&r->lock);
}

void room_admit(struct room *r, int fd, const char *peer)
{
	struct client *c = client_new(r, fd, peer);

	pthread_mutex_lock(&r->lock);
	if (!c || r->count == r->capacity) {
		pthread_mutex_unlock(&r->lock);
		turn_away(fd);
		free(c);
		return;
	}
	r->clients[r->count++] = c;
	c->starting = true;
	c->reading = true;
	if (r->here + r->arriving >= r->limits.clients)
		turn_down(c, "the room is full");
	else
		client_set_phase(c, CLIENT_ARRIVING);
	pthread_mutex_unlock(&r->lock);
	start_reader(c);
}

unsigned room_descriptors(unsigned clients)
{
	/* listener, signals, wake_fd, standard descriptors, and a reserve */
	return clients + LEAVING_PLACES + 16;
}

static void room_free(struct room *r)
{
	if (r->wake_fd != -1)
		close(r->wake_fd);
	pthread_attr_destroy(&r->reader_attr);
	pthread_cond_destroy(&r->calm);
	pthread_mutex_destroy(&r->lock);
	free(r->polled);
	free(r->polled_client);
	free(r->clients);
	free(r);
}

int room_new(struct room **out, const struct room_limits *limits,
	     struct report *report)
{
	struct room *r = calloc(1, sizeof(*r));
	pthread_condattr_t monotonic;
	int error = ENOMEM;

	if (!r)
		return -ENOMEM;
	r->limits = *limits;
	r->report = report;
	r->pace.budget = (int64_t)(limits->queue_bytes / 2);
	r->capacity = limits->clients + LEAVING_PLACES;
	pthread_mutex_init(&r->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&r->calm, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_attr_init(&r->reader_attr);
	pthread_attr_setstacksize(&r->reader_attr, READER_STACK_BYTES);
	r->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r->clients = calloc(r->capacity, sizeof(struct client *));
	r->polled = calloc(r->capacity + 1, sizeof(*r->polled));
	r->polled_client = calloc(r->capacity + 1, sizeof(struct client *));
	if (r->wake_fd == -1)
		error = errno;
	else if (r->clients && r->polled && r->polled_client)
		error = pthread_create(&r->courier, NULL, courier_main, r);
	if (error) {
		room_free(r);
		return -error;
	}
	*out = r;
	return 0;
}

void room_close(struct room *r)
{
	pthread_mutex_lock(&r->lock);
	report_line(r->report, "closing, clients=%u probes_answered=%lu",
		    r->here, r->probes);
	r->closing = true;
	for (unsigned i = 0; i < r->count; i++) {
		struct client *c = r->clients[i];

		if (client_is_present(c))
			client_leave(c, CHAT_SERVER_NICK
				     "the server is closing, goodbye\n");
		c->deadline_ms = now_ms() + CLOSING_MS;
	}
	courier_wake(r);
	pthread_mutex_unlock(&r->lock);
	pthread_join(r->courier, NULL); /* it ends after the last client */
	room_free(r);
}
