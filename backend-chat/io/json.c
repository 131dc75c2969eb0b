/* SPDX-License-Identifier: MIT */
/*
 * JSON clients (section 4.2 of the design): over WebSocket, or an object a line
 * after /json. What they say and hear is core/wsjson.h.
 */
#include "core/http.h"
#include "core/mid.h"
#include "core/spread.h"
#include "io/command.h"
#include "io/user.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>

#define PING_S 20
/* TCP asks a silent peer after so long, so often: it is gone after 75 s. */
#define PEER_IDLE_S	45
#define PEER_INTERVAL_S 10
#define PEER_PROBES	3

struct json_client {
	struct ws ws;	     /* of WIRE_WS */
	struct writer line;  /* of WIRE_JSON_LINES: not complete yet */
	bool too_long;	     /* that line: the rest is skipped */
	bool greeted;	     /* hello was answered */
	bool reading;	     /* a history that was asked for is on its way */
	struct hello *hello; /* waits for its nick; NULL: there is none */
};

/* The rooms that a hello wants to join. */
struct hello {
	struct seat_wish rooms[WSJSON_ROOMS_MAX];
	char names[WSJSON_ROOMS_MAX][ROOM_MAX_BYTES];
	unsigned count;
	bool guest; /* the nick asked for is of our choice */
};

static void watch_peer(int fd)
{
	const int idle_s = PEER_IDLE_S, interval_s = PEER_INTERVAL_S,
		  count = PEER_PROBES,
		  lost_ms = 1000 * PEER_INTERVAL_S * PEER_PROBES;

	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s,
		   sizeof(interval_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &lost_ms,
		   sizeof(lost_ms));
}

bool json_start(struct conn *c, enum wire wire)
{
	struct json_client *j = calloc(1, sizeof(*j));

	if (!j) {
		conn_out_of_memory(c);
		return false;
	}
	ws_init(&j->ws);
	writer_init(&j->line, WS_MESSAGE_MAX);
	/* Nobody else's nick is held for long by a peer that vanished. */
	watch_peer(c->fd);
	/* Its rooms are those of its hello. */
	seats_leave(c);
	user_end(c);
	c->json = j;
	c->wire = wire;
	c->form = wire == WIRE_WS ? FORM_FRAME : FORM_JSON_LINE;
	c->wire_ms = INT64_MAX;
	conn_settle(c);
	return true;
}

void json_free(struct conn *c)
{
	if (!c->json)
		return;
	ws_free(&c->json->ws);
	writer_free(&c->json->line);
	free(c->json->hello);
	free(c->json);
	c->json = NULL;
}

/* ------------------------------------------------------------- sending */

static void send_frame(struct conn *c, enum ws_opcode opcode,
		       struct slice payload)
{
	uint8_t header[WS_HEADER_MAX];
	struct writer w;

	writer_init(&w, WS_MESSAGE_MAX + WS_HEADER_MAX);
	writer_put(&w, header, ws_header(header, opcode, payload.len));
	writer_put_slice(&w, payload);
	conn_queue_writer(c, &w);
}

struct blob *json_blob(struct slice object, enum wire wire)
{
	uint8_t header[WS_HEADER_MAX];
	size_t head = 0;
	struct blob *b;

	if (wire == WIRE_WS)
		head = ws_header(header, WS_OP_TEXT, object.len);
	b = blob_new(head + object.len + (wire != WIRE_WS));
	if (!b)
		return NULL;
	memcpy(b->bytes, header, head);
	memcpy(b->bytes + head, object.at, object.len);
	if (wire != WIRE_WS)
		b->bytes[object.len] = '\n';
	return b;
}

void json_send(struct conn *c, struct writer *w)
{
	struct blob *b = w->failed || w->len == 0
				 ? NULL
				 : json_blob(writer_slice(w), c->wire);

	writer_free(w);
	if (b)
		conn_queue_blob(c, b);
	else
		conn_out_of_memory(c);
	blob_unref(b);
}

void json_close(struct conn *c, unsigned code, const char *reason,
		const char *what)
{
	uint8_t frame[2 + WS_CONTROL_MAX];
	struct writer w;

	if (c->wire == WIRE_WS) {
		const size_t len = ws_close_frame(frame, (enum ws_close)code,
						  slice_of(reason));

		conn_end_with(c, (const char *)frame, len, what);
		return;
	}
	writer_init(&w, WSJSON_MAX);
	wsjson_put_error(&w, "closed", slice_of(reason), SLICE(""));
	writer_put(&w, "\n", 1);
	conn_end_with(c, w.bytes, w.failed ? 0 : w.len, what);
	writer_free(&w);
}

void json_on_time(struct conn *c)
{
	c->wire_ms = INT64_MAX;
	/* The line "closing" has counted them all, unless the server stays. */
	json_close(c, WS_DRAIN, "the server is closing",
		   c->worker->closing ? NULL : "left");
	c->leave_ms = worker_ms(c->worker) + CLOSING_MS;
}

void json_drain(struct conn *c)
{
	struct writer w;
	uint32_t random;
	unsigned in_ms;

	if (c->wire_ms != INT64_MAX)
		return; /* it was told before */
	worker_random(c->worker, &random, sizeof(random));
	in_ms = spread_pick_ms(conn_hub(c)->options.drain_ms, random);
	writer_init(&w, WSJSON_MAX);
	wsjson_put_reconnect(&w, in_ms);
	json_send(c, &w);
	c->wire_ms = worker_ms(c->worker) + in_ms;
	conn_touch(c);
}

static struct writer new_object(void)
{
	struct writer w;

	writer_init(&w, WSJSON_MAX);
	return w;
}

static void send_error(struct conn *c, const char *code, const char *message,
		       struct slice ref)
{
	struct writer w = new_object();

	wsjson_put_error(&w, code, slice_of(message), ref);
	json_send(c, &w);
}

/* --------------------------------------------------------------- hello */

static const char *redis_state(struct hub *h)
{
	switch (h->bus->state(h->bus)) {
	case BUS_UP: return "up";
	case BUS_DOWN: return "down";
	case BUS_OFF: break;
	}
	return "off";
}

static void send_welcome(struct conn *c)
{
	struct hub *h = conn_hub(c);
	struct writer w = new_object();
	struct wsjson_welcome welcome = {
		.instance = slice_of(h->options.instance),
		.nick = slice_of(c->user->nick),
		.token = slice_of(c->user->token),
		.version = SLICE(L4LB_VERSION),
		.redis = redis_state(h),
		.ping_s = PING_S,
	};

	pthread_mutex_lock(&h->lock);
	welcome.spread_ms = spread_ms(h->here);
	pthread_mutex_unlock(&h->lock);
	wsjson_put_welcome(&w, &welcome);
	json_send(c, &w);
	if (h->options.motd.len == 0)
		return;
	w = new_object();
	writer_put_slice(&w, SLICE("{\"t\":\"notice\",\"text\":"));
	writer_put_json(&w, h->options.motd);
	writer_put_slice(&w, SLICE("}"));
	json_send(c, &w);
}

static void send_room_error(struct conn *c, int error, struct slice ref)
{
	switch (error) {
	case 0: break;
	case -EEXIST: break; /* it is there already: answered by json_join() */
	case -ENOSPC:
		send_error(c, "too_many_rooms",
			   "This server has too many rooms.", ref);
		break;
	case -EMFILE:
		send_error(c, "too_many_rooms",
			   "You are in too many rooms: leave one first.", ref);
		break;
	default:
		send_error(c, "maintenance", "The server has no memory.", ref);
		break;
	}
}

static void join(struct conn *c, const struct seat_wish *wish)
{
	const struct seat *s = seat_find(c, wish->room);

	if (s && !s->waiting)
		json_on_joined(c, (struct seat *)s);
	if (!s)
		send_room_error(c, seat_take(c, wish), wish->room);
}

void json_on_joined(struct conn *c, struct seat *s)
{
	struct writer w = new_object();
	struct people people;
	struct hub *h = conn_hub(c);
	const struct slice room = slice_of(s->room->core.name);

	if (!people_get(&people, h, room))
		people.count = 0;
	wsjson_put_joined(&w, room, slice_of(s->room->core.topic), false,
			  s->room->core.head,
			  (unsigned)people.count + people.unnamed);
	people_free(&people);
	json_send(c, &w);
}

/* Another name if somebody has it: nobody asked for this one. */
static void claim_guest(struct conn *c)
{
	char guest[GUEST_LEN + 1];
	uint32_t random;

	c->json->hello->guest = true;

	worker_random(c->worker, &random, sizeof(random));
	name_guest(random, guest);
	if (!user_claim(c, slice_of(guest), SLICE(""), true))
		json_close(c, WS_INTERNAL, "no memory", "refused: no memory");
}

static void send_taken(struct conn *c, struct slice nick)
{
	char other[NAME_MAX_BYTES];
	struct writer message;

	name_propose(nick, 2, other);
	writer_init(&message, WSJSON_MAX);
	writer_printf(&message, "%.*s is taken, try %s.", SLICE_ARG(nick),
		      other);
	writer_put(&message, "", 1);
	if (!message.failed)
		send_error(c, "nick_taken", message.bytes, nick);
	writer_free(&message);
}

/* It has a nick: the hello is answered. */
static void greet(struct conn *c)
{
	struct hello *h = c->json->hello;

	c->json->hello = NULL;
	c->json->greeted = true;
	send_welcome(c);
	for (unsigned i = 0; i < h->count; i++)
		join(c, &h->rooms[i]);
	free(h);
}

void json_on_claimed(struct conn *c, struct slice nick, bool taken)
{
	struct json_client *j = c->json;
	struct writer w;

	if (taken && !(j->hello && j->hello->guest))
		send_taken(c, nick);
	if (taken && j->hello) {
		claim_guest(c);
		return;
	}
	if (j->hello) {
		greet(c);
	} else if (!taken) {
		w = new_object();
		wsjson_put_nick(&w, slice_of(c->user->nick));
		json_send(c, &w);
	}
}

static void hello(struct conn *c, const struct wsjson *said)
{
	struct json_client *j = c->json;
	struct hello *h;

	if (j->greeted || j->hello) {
		send_error(c, "bad_field", "You said hello already.",
			   SLICE("hello"));
		return;
	}
	h = j->hello = calloc(1, sizeof(*h));
	if (!h) {
		json_close(c, WS_INTERNAL, "no memory", "refused: no memory");
		return;
	}
	for (unsigned i = 0; i < said->room_count; i++) {
		name_key(said->rooms[i].name, h->names[i]);
		h->rooms[i] = (struct seat_wish){
			.room = slice_of(h->names[i]),
			.after = said->rooms[i].after,
			.has_after = said->rooms[i].has_after,
		};
	}
	h->count = said->room_count;
	if (said->nick.len == 0)
		claim_guest(c);
	else if (!user_claim(c, said->nick, said->token, true))
		json_close(c, WS_INTERNAL, "no memory", "refused: no memory");
}

/* --------------------------------------------------------------- saying */

static void on_post(struct conn *c, enum post result, struct slice ref)
{
	switch (result) {
	case POST_OK: break;
	case POST_BUSY:
		send_error(c, "maintenance", HTTP_MAINTENANCE, ref);
		break;
	case POST_NO_MEMORY:
		json_close(c, WS_INTERNAL, "no memory", "refused: no memory");
		break;
	}
}

static void say(struct conn *c, const struct wsjson *said, struct slice room)
{
	char stored[MID_STORED_MAX];
	struct msg_fields fields = {
		.mid = said->mid,
		.room = room,
		.sender = user_name(c),
		.text = said->text,
		.metadata = said->metadata,
		.via = MSG_WS,
		.type = said->msg_type,
		.verified = true,
	};
	struct msg *m;
	int error;

	if (!seat_find(c, room)) {
		send_error(c, "not_in_room", "Join the room first.", said->mid);
		return;
	}
	user_sign(c, &fields, stored);
	error = msg_new(&m, &fields);
	if (error == -EMSGSIZE)
		send_error(c, "too_long", "The message is too long.",
			   said->mid);
	else
		on_post(c,
			error ? POST_NO_MEMORY : conn_post(c, m, said->retry),
			said->mid);
}

static void say_direct(struct conn *c, const struct wsjson *said)
{
	bool here = false;

	switch (direct_post(c, said->to, said->text, said->mid, said->retry,
			    MSG_WS, &here)) {
	case 0: break;
	case -ENOENT:
		send_error(c, "not_here", "Nobody has that name.", said->mid);
		break;
	case -EAGAIN: on_post(c, POST_BUSY, said->mid); break;
	default: on_post(c, POST_NO_MEMORY, said->mid); break;
	}
}

void json_on_posted(struct conn *c, const struct note *n)
{
	const struct slice mid = mid_own(n->text);
	struct writer w = new_object();

	if (n->posted == POSTED || n->posted == POSTED_LATE)
		wsjson_put_ack(&w, mid, n->id);
	else if (posted_is_refused(n->posted))
		wsjson_put_error(&w, "maintenance", slice_of(HTTP_MAINTENANCE),
				 mid);
	if (w.len > 0)
		json_send(c, &w);
	else
		writer_free(&w);
}

/* --------------------------------------------------------------- asking */

static void send_history(struct conn *c, struct slice room,
			 struct msg *const *items, unsigned count, bool more,
			 bool complete)
{
	struct writer w = new_object();

	wsjson_put_history(&w, room, items, count, more, complete);
	json_send(c, &w);
}

static void history(struct conn *c, const struct wsjson *said,
		    struct slice room)
{
	struct msg *items[WSJSON_HISTORY_MAX];
	const struct seat *s = seat_find(c, room);
	const struct page_question question = {
		.room = room,
		.before = true,
		.id = said->before,
		.limit = said->limit,
		.once = true,
	};
	bool complete;
	unsigned count;

	if (!s) {
		send_error(c, "not_in_room", "Join the room first.", room);
		return;
	}
	count = room_history(&s->room->core, said->before, items, said->limit,
			     &complete);
	if (complete) {
		send_history(c, room, items, count, count == said->limit, true);
		return;
	}
	if (c->json->reading) {
		send_error(c, "rate", "One history at a time.", room);
		return;
	}
	c->json->reading = true;
	if (hub_read(conn_hub(c), &question, c->ticket,
		     !hub_has_store(conn_hub(c))) != 0)
		json_close(c, WS_INTERNAL, "no memory", "refused: no memory");
}

void json_on_page(struct conn *c, const struct note *n)
{
	if (!c->json->reading)
		return;
	c->json->reading = false;
	if (n->failed)
		send_error(c, "history_unavailable", HISTORY_UNAVAILABLE,
			   n->room);
	else
		send_history(c, n->room, n->msgs, n->count, n->flag, !n->gap);
}

static void who(struct conn *c, struct slice room)
{
	struct writer w = new_object();
	struct people people;

	if (people_get(&people, conn_hub(c), room))
		wsjson_put_members(&w, room, people.list, people.count,
				   people.unnamed);
	people_free(&people);
	json_send(c, &w);
}

static void rooms(struct conn *c)
{
	struct writer w = new_object();
	unsigned count;
	struct bus_room *list = rooms_get(conn_hub(c), &count);
	struct wsjson_room_line *lines = calloc(count + 1, sizeof(*lines));

	for (unsigned i = 0; lines && i < count; i++)
		lines[i] = (struct wsjson_room_line){
			slice_of(list[i].name), slice_of(list[i].topic),
			list[i].here, list[i].e2ee};
	if (lines)
		wsjson_put_rooms(&w, lines, count);
	json_send(c, &w);
	free(lines);
	free(list);
}

static void signal_room(struct conn *c, enum signal_kind kind,
			struct slice room, struct slice text)
{
	struct bus *bus = conn_hub(c)->bus;

	if (!seat_find(c, room)) {
		send_error(c, "not_in_room", "Join the room first.", room);
		return;
	}
	bus->signal(bus,
		    &(struct signal){
			    .kind = kind,
			    .room = room,
			    .nick = user_name(c),
			    .text = text,
			    .instance = slice_of(conn_hub(c)->options.instance),
		    });
}

static void pong(struct conn *c, int64_t n)
{
	struct writer w = new_object();

	wsjson_put_pong(&w, n);
	json_send(c, &w);
}

static void leave_room(struct conn *c, struct slice room)
{
	struct seat *s = seat_find(c, room);
	struct writer w;

	if (!s || s->is_inbox) {
		send_error(c, "not_in_room", "You are not in it.", room);
		return;
	}
	seat_leave(s);
	w = new_object();
	wsjson_put_left(&w, room);
	json_send(c, &w);
}

/* ------------------------------------------------------------- messages */

static struct rate *rate_of(struct conn *c, enum wsjson_type type,
			    struct rate_limit *limit)
{
	switch (type) {
	case WSJSON_MSG:
	case WSJSON_DM: *limit = RATE_MESSAGES; return &c->said;
	case WSJSON_JOIN: *limit = RATE_JOINS; return &c->joined;
	case WSJSON_HELLO:
	case WSJSON_PING: return NULL;
	case WSJSON_LEAVE:
	case WSJSON_NICK:
	case WSJSON_TOPIC:
	case WSJSON_WHO:
	case WSJSON_ROOMS:
	case WSJSON_HISTORY_ASK:
	case WSJSON_TYPING:
	case WSJSON_TYPES: break;
	}
	*limit = RATE_COMMANDS;
	return &c->asked;
}

/* What an error about it refers to. */
static struct slice subject_of(const struct wsjson *said)
{
	if (said->mid.len > 0)
		return said->mid;
	if (said->room.len > 0)
		return said->room;
	return said->nick.len > 0 ? said->nick : said->ref;
}

/* Returns false if it was refused. */
static bool within_rate(struct conn *c, const struct wsjson *said)
{
	struct rate_limit limit;
	struct rate *rate = rate_of(c, said->type, &limit);

	if (!conn_hub(c)->options.has_rate || !rate ||
	    rate_take(rate, limit, worker_ms(c->worker)) == 0)
		return true;
	if (rate_floods(rate))
		json_close(c, WS_FLOOD, "too many messages",
			   "dropped: it floods");
	else
		send_error(c, "rate", "Too many at once: wait a little.",
			   subject_of(said));
	return false;
}

static void run(struct conn *c, const struct wsjson *said)
{
	char room[ROOM_MAX_BYTES] = "";
	struct seat_wish wish = {
		.after = said->after,
		.has_after = said->has_after,
	};

	if (said->room.len > 0)
		name_key(said->room, room);
	wish.room = slice_of(room);
	if (said->type == WSJSON_PING) {
		pong(c, said->n);
		return;
	}
	if (said->type == WSJSON_HELLO) {
		hello(c, said);
		return;
	}
	if (!c->json->greeted) {
		send_error(c, "hello_first", "Say hello first.",
			   subject_of(said));
		return;
	}
	switch (said->type) {
	case WSJSON_JOIN: join(c, &wish); break;
	case WSJSON_LEAVE: leave_room(c, wish.room); break;
	case WSJSON_MSG: say(c, said, wish.room); break;
	case WSJSON_DM: say_direct(c, said); break;
	case WSJSON_NICK:
		if (!user_claim(c, said->nick, SLICE(""), true))
			send_error(c, "rate", "One name at a time.",
				   said->nick);
		break;
	case WSJSON_TOPIC:
		signal_room(c, SIGNAL_TOPIC, wish.room, said->text);
		break;
	case WSJSON_WHO: who(c, wish.room); break;
	case WSJSON_ROOMS: rooms(c); break;
	case WSJSON_HISTORY_ASK: history(c, said, wish.room); break;
	case WSJSON_TYPING:
		signal_room(c, SIGNAL_TYPING, wish.room, SLICE(""));
		break;
	case WSJSON_HELLO:
	case WSJSON_PING:
	case WSJSON_TYPES: break;
	}
}

static void on_object(struct conn *c, struct slice text)
{
	struct wsjson said;

	if (!wsjson_parse(&said, text))
		send_error(c, said.code, said.message, said.ref);
	else if (within_rate(c, &said))
		run(c, &said);
	wsjson_free(&said);
}

static bool on_close(struct conn *c)
{
	const unsigned code = c->json->ws.code;

	json_close(c, code == WS_NO_CODE ? WS_BYE : code, "",
		   c->phase == CONN_HERE ? "left" : NULL);
	return true;
}

static bool take_frames(struct conn *c, struct slice in)
{
	struct ws *ws = &c->json->ws;

	while (conn_is_present(c)) {
		switch (ws_feed(ws, &in)) {
		case WS_MORE: return true;
		case WS_MESSAGE: on_object(c, ws->data); break;
		case WS_PING: send_frame(c, WS_OP_PONG, ws->data); break;
		case WS_PONG: break;
		case WS_CLOSE: return on_close(c);
		case WS_BAD:
			json_close(c, ws->code, ws->why,
				   "refused: it broke the protocol");
			return true;
		}
	}
	return true;
}

static void end_line(struct conn *c)
{
	struct json_client *j = c->json;
	struct slice line = slice_trim(writer_slice(&j->line));

	if (line.len > 0 && line.at[line.len - 1] == '\r')
		line.len--;
	if (j->too_long || j->line.failed)
		send_error(c, "too_long", "The line is too long.", SLICE(""));
	else if (line.len > 0)
		on_object(c, line);
	j->too_long = false;
	writer_free(&j->line);
	writer_init(&j->line, WS_MESSAGE_MAX);
}

static bool take_lines(struct conn *c, struct slice in)
{
	while (in.len > 0 && conn_is_present(c)) {
		const char *end = memchr(in.at, '\n', in.len);
		const size_t len = end ? (size_t)(end - in.at) : in.len;

		writer_put(&c->json->line, in.at, len);
		c->json->too_long |= c->json->line.failed;
		if (end)
			end_line(c);
		in = slice_from(in, len + (end != NULL));
	}
	return true;
}

bool json_take(struct conn *c, struct slice in)
{
	return c->wire == WIRE_WS ? take_frames(c, in) : take_lines(c, in);
}
