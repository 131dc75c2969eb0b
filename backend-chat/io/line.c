/* SPDX-License-Identifier: MIT */
/* The classic wire: bytes of a connection in, lines said to its room. */
#include "io/command.h"
#include "io/user.h"
#include "nick.h"

#include <errno.h>
#include <stdlib.h>

#define TELNET_ANSWERS_MAX 64

/* What was said is delivered: an answer comes after it. */
static bool deliver_now(struct conn *c)
{
	worker_drain(c->worker);
	return conn_is_present(c);
}

/* True if somebody else holds the nick. */
static bool is_anothers(struct conn *c, struct slice nick)
{
	char hash[TOKEN_HASH_LEN + 1], instance[INSTANCE_MAX];
	struct bus *bus = conn_hub(c)->bus;
	bool here;

	return bus->holder(bus, nick, hash, instance, &here) && here &&
	       !slice_equal(slice_of(hash), user_hash(c));
}

/* Its first prefix becomes its nick, if it is free. */
static void claim_prefix(struct conn *c, struct slice nick)
{
	if (nick.len == 0 || c->user)
		return;
	(void)user_claim(c, nick, SLICE(""), false);
	worker_drain(c->worker); /* the answer may be there already */
}

/* A line client is in one room, beside its inbox. */
static const struct wroom *room_of(const struct conn *c)
{
	const struct seat *s = c->seats;

	while (s->is_inbox)
		s = s->next;
	return s->room;
}

/*
 * Says a line to the room of the connection. raw: its bytes, which line clients
 * get; the record has the nick and the text apart.
 */
bool line_say(struct conn *c, const struct linecmd_line *l, struct slice raw,
	      enum msg_type type)
{
	char mid[MID_STORED_MAX];
	struct msg_fields fields = {
		.room = slice_of(room_of(c)->core.name),
		.text = l->text,
		.raw = raw,
		.via = MSG_LINE,
		.type = type,
	};
	struct msg *m;

	conn_owe(c, &c->said, RATE_MESSAGES);
	claim_prefix(c, l->nick);
	if (!conn_is_present(c))
		return false;
	user_sign(c, &fields, mid);
	fields.sender = l->nick.len > 0 ? l->nick : user_name(c);
	fields.verified = user_has_nick(c) &&
			  name_same(fields.sender, slice_of(c->user->nick));
	if (conn_hub(c)->options.strict_nicks && !fields.verified &&
	    l->nick.len > 0 && is_anothers(c, l->nick)) {
		conn_refuse_line(c, "not said: somebody else has this name");
		return true;
	}
	conn_settle(c);
	if (msg_new(&m, &fields) != 0)
		m = NULL;
	switch (m ? conn_post(c, m, false) : POST_NO_MEMORY) {
	case POST_OK: return true;
	case POST_BUSY:
		conn_refuse_line(c, "not said: the service is under "
				    "maintenance, try again later");
		return true;
	case POST_NO_MEMORY: break;
	}
	conn_out_of_memory(c);
	return false;
}

/* A client that does not read its answers gets no more of them. */
static void answer_telnet(struct conn *c)
{
	if (c->queue.count < TELNET_ANSWERS_MAX)
		conn_queue_answer(c, c->framer->line, c->framer->line_len);
}

/* Answers a probe with its own text, with a newline if it had one. */
static void answer(struct conn *c, enum frame probe)
{
	if (probe == FRAME_PROBE_END) {
		/* A line queued since then has already ended an open answer. */
		if (c->mid_line)
			conn_queue_answer(c, "\n", 1);
		c->mid_line = false;
		return;
	}
	METRIC_ADD(&conn_hub(c)->metrics, probes);
	conn_queue_answer(c, CHAT_PROBE "\n",
			  CHAT_PROBE_LEN + (probe == FRAME_PROBE_LINE));
	c->mid_line = probe == FRAME_PROBE;
}

static bool take_line(struct conn *c)
{
	const struct framer *f = c->framer;
	const struct slice line = {f->line, f->line_len};
	struct linecmd_line l = {.text = line};

	if (framer_line_quits(f)) {
		deliver_now(c);
		return false;
	}
	/* Readers see a piece of a long line as a line of its own. */
	if (nick_is_servers(line.at, line.len)) {
		if (deliver_now(c))
			conn_refuse(c,
				    "the nickname chat_serv is the server's "
				    "own, take another",
				    "refused: it took the server's name");
		return false;
	}
	if (f->whole)
		linecmd_parse(line, &l);
	if (l.what != LINECMD_NONE && conn_hub(c)->options.commands)
		return deliver_now(c) && command_run(c, &l);
	if (l.slash_taken && conn_hub(c)->options.commands)
		return command_say_slash(c, &l);
	return line_say(c, &l, line, MSG_TEXT);
}

static bool take_all(struct conn *c, const char *in, const char *end)
{
	enum frame frame;

	while (c->wire == WIRE_LINES &&
	       (frame = framer_next(c->framer, &in, end)) != FRAME_NONE) {
		if (!conn_is_present(c))
			return false;
		if (frame == FRAME_LINE) {
			if (!take_line(c))
				return false;
		} else if (frame == FRAME_TELNET) {
			answer_telnet(c);
		} else {
			if (!deliver_now(c))
				return false;
			answer(c, frame);
		}
	}
	/* After /json the rest is another wire's. */
	return c->wire == WIRE_LINES ||
	       json_take(c, (struct slice){in, (size_t)(end - in)});
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

static void close_framer(struct conn *c)
{
	if (c->wire == WIRE_LINES && !framer_is_idle(c->framer))
		return;
	free(c->framer);
	c->framer = NULL;
}

bool line_take(struct conn *c, struct slice in)
{
	const size_t before = c->worker->undelivered;
	bool stays;

	if (!open_framer(c)) {
		conn_out_of_memory(c);
		return false;
	}
	stays = take_all(c, in.at, in.at + in.len);
	close_framer(c);
	if (c->worker->undelivered > before)
		hub_spend(conn_hub(c), &c->pace,
			  c->worker->undelivered - before, c->worker->now_us);
	return stays;
}

void line_end(struct conn *c)
{
	if (c->framer && framer_end(c->framer) == FRAME_LINE)
		(void)take_line(c);
	deliver_now(c);
}

/* ------------------------------------------------------------ sniffing */

/* It is a classic client, or a prober. */
static bool begin_lines(struct conn *c)
{
	struct writer first = c->first;
	bool stays;

	writer_init(&c->first, 0);
	c->wire = WIRE_LINES;
	if (c->refused) {
		conn_settle(c); /* tells it so */
		writer_free(&first);
		return true;
	}
	stays = line_take(c, writer_slice(&first));
	writer_free(&first);
	return stays;
}

/* A request of HTTP: never said, and not answered behind lines of a room. */
static bool begin_http(struct conn *c)
{
	struct writer first = c->first;
	bool stays;

	if (c->told) {
		conn_reset(c);
		return true;
	}
	writer_init(&c->first, 0);
	seats_leave(c);
	sendq_clear(&c->held);
	if (!web_start(c)) {
		conn_out_of_memory(c);
		return false;
	}
	stays = web_take(c, writer_slice(&first));
	writer_free(&first);
	return stays;
}

bool sniff_take(struct conn *c, struct slice in)
{
	writer_put_slice(&c->first, in);
	if (c->first.failed) {
		conn_out_of_memory(c);
		return false;
	}
	switch (sniff_first(c->port, writer_slice(&c->first))) {
	case SNIFF_MORE: return true;
	case SNIFF_LINES: return begin_lines(c);
	case SNIFF_HTTP: return begin_http(c);
	case SNIFF_TLS: return false; /* there is no certificate */
	case SNIFF_BAD: break;	      /* web ports begin as HTTP */
	}
	return false;
}

/* Not even a line: text after all. */
void sniff_end(struct conn *c)
{
	if (c->first.len > 0 && !begin_lines(c))
		conn_leave(c);
}
