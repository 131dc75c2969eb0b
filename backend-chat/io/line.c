/* SPDX-License-Identifier: MIT */
/* The classic wire: bytes of a connection in, lines said to the room. */
#include "io/conn.h"
#include "nick.h"

#include <stdlib.h>
#include <string.h>

/* Says what was gathered. Returns false if the client must go. */
static bool say(struct conn *c)
{
	struct worker *w = c->worker;
	bool said = true;

	if (w->say_count == 0)
		return true;
	conn_settle(c);
	said = hub_say(w->hub, w, &c->pace, w->say, w->say_count, w->now_us);
	while (w->say_count > 0) {
		struct blob *line = w->say[--w->say_count];

		w->undelivered += line->len;
		blob_unref(line);
	}
	if (!said)
		conn_out_of_memory(c);
	return conn_is_present(c);
}

/* Says what was gathered, and has it delivered: an answer comes after it. */
static bool say_now(struct conn *c)
{
	bool present = say(c);

	worker_drain(c->worker);
	return present && conn_is_present(c);
}

static bool gather(struct conn *c)
{
	const struct framer *f = c->framer;
	struct worker *w = c->worker;
	struct blob *line = blob_new(f->line_len + 1);

	if (!line) {
		conn_out_of_memory(c);
		return false;
	}
	memcpy(line->bytes, f->line, f->line_len);
	line->bytes[f->line_len] = '\n';
	w->say[w->say_count++] = line;
	return w->say_count < SAY_LINES || say(c);
}

static void refuse_name(struct conn *c)
{
	conn_refuse(c,
		    "the nickname chat_serv is the server's own, take another",
		    "refused: it took the server's name");
}

/* Answers a probe with its own text, with a newline if it had one. */
static void answer(struct conn *c, enum frame probe)
{
	struct hub *h = c->worker->hub;

	if (probe == FRAME_PROBE_END) {
		/* A line queued since then has already ended an open answer. */
		if (c->mid_line)
			conn_queue_answer(c, "\n", 1);
		c->mid_line = false;
		return;
	}
	pthread_mutex_lock(&h->lock);
	h->probes++;
	pthread_mutex_unlock(&h->lock);
	conn_queue_answer(c, CHAT_PROBE "\n",
			  CHAT_PROBE_LEN + (probe == FRAME_PROBE_LINE));
	c->mid_line = probe == FRAME_PROBE;
}

static bool take_line(struct conn *c)
{
	if (framer_line_quits(c->framer)) {
		say_now(c);
		return false;
	}
	/* Readers see a piece of a long line as a line of its own. */
	if (nick_is_servers(c->framer->line, c->framer->line_len)) {
		if (say_now(c))
			refuse_name(c);
		return false;
	}
	return gather(c);
}

static bool take_all(struct conn *c, const char *in, const char *end)
{
	enum frame frame;

	while ((frame = framer_next(c->framer, &in, end)) != FRAME_NONE) {
		if (frame == FRAME_LINE) {
			if (!take_line(c))
				return false;
		} else {
			if (!say_now(c))
				return false;
			answer(c, frame);
		}
	}
	return say(c);
}

static bool open_framer(struct conn *c)
{
	if (c->framer)
		return true;
	c->framer = malloc(sizeof(*c->framer));
	if (c->framer)
		framer_init(c->framer, CHAT_LINE_MAX, true);
	return c->framer;
}

bool line_take(struct conn *c, const char *bytes, size_t len)
{
	bool stays;

	if (!open_framer(c)) {
		conn_out_of_memory(c);
		return false;
	}
	stays = take_all(c, bytes, bytes + len);
	if (framer_is_idle(c->framer)) {
		free(c->framer);
		c->framer = NULL;
	}
	return stays;
}

void line_end(struct conn *c)
{
	if (c->framer && framer_end(c->framer) == FRAME_LINE)
		(void)take_line(c);
	say_now(c);
}
