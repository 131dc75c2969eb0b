/* SPDX-License-Identifier: MIT */
/*
 * One thread per client: receives, splits into lines, says them to the room.
 * Only this thread reads from the socket. While the client is leaving it goes
 * on reading and discards everything: closing a socket with unread data sends a
 * reset, and that would destroy what the peer has not read yet.
 */
#include "client.h"
#include "nick.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* Returns false if the client must go. */
static bool say_gathered(struct client *c)
{
	size_t len = c->say_len;

	c->say_len = 0;
	return len == 0 || room_say(c, c->say, len);
}

static bool gather_line(struct client *c)
{
	size_t len = c->framer.line_len;

	if (c->say_len + len + 1 > sizeof(c->say) && !say_gathered(c))
		return false;
	memcpy(c->say + c->say_len, c->framer.line, len);
	c->say[c->say_len + len] = '\n';
	c->say_len += len + 1;
	return true;
}

/* All lines of one read are said together, so each client costs one send. */
static bool take(struct client *c, size_t len)
{
	const char *in = c->in, *end = c->in + len;
	enum frame frame;

	while ((frame = framer_next(&c->framer, &in, end)) != FRAME_NONE) {
		if (frame == FRAME_LINE) {
			if (framer_line_quits(&c->framer)) {
				say_gathered(c);
				return false;
			}
			/* Readers see a piece as a line of its own. */
			if (nick_is_servers(c->framer.line,
					    c->framer.line_len)) {
				say_gathered(c);
				room_refuse_name(c);
				return false;
			}
			if (!gather_line(c))
				return false;
		} else {
			if (!say_gathered(c))
				return false;
			room_answer(c, frame);
		}
	}
	return say_gathered(c);
}

/* The last line may lack its newline. */
static void take_end(struct client *c)
{
	if (framer_end(&c->framer) != FRAME_LINE ||
	    framer_line_quits(&c->framer))
		return;
	if (nick_is_servers(c->framer.line, c->framer.line_len))
		room_refuse_name(c);
	else if (gather_line(c))
		say_gathered(c);
}

/*
 * A first silence settles the client; each probe before it restarts the wait.
 * Returns true while the client has not settled.
 */
static bool await_settling(struct client *c)
{
	struct pollfd readable = {.fd = c->fd, .events = POLLIN};
	bool arriving;

	pthread_mutex_lock(&c->room->lock);
	arriving = c->phase == CLIENT_ARRIVING;
	pthread_mutex_unlock(&c->room->lock);
	if (!arriving || poll(&readable, 1, SETTLE_MS) != 0)
		return arriving;
	room_settle(c);
	return false;
}

static ssize_t read_some(struct client *c)
{
	ssize_t got;

	do
		got = recv(c->fd, c->in, sizeof(c->in), 0);
	while (got == -1 && errno == EINTR);
	return got;
}

void *reader_main(void *client)
{
	struct client *c = client;
	struct room *r = c->room;
	bool listening = true, arriving = true;
	ssize_t got;

	for (;;) {
		if (arriving)
			arriving = await_settling(c);
		got = read_some(c);
		if (got <= 0)
			break;
		if (listening && !take(c, (size_t)got)) {
			listening = false;
			room_left(c, 0);
		}
	}
	if (listening && got == 0)
		take_end(c);
	room_left(c, got == -1 ? errno : 0);

	pthread_mutex_lock(&r->lock);
	c->reading = false;
	courier_wake(r);
	pthread_mutex_unlock(&r->lock);
	return NULL;
}
