/* SPDX-License-Identifier: MIT */
/* See user.h. */
#include "io/user.h"

#include <stdio.h>
#include <stdlib.h>

/* Messages for a nick that was away: as many as a ring has. */
#define INBOX_SHOWN ROOM_RING

static struct user *get_user(struct conn *c, struct slice token)
{
	struct user *u = c->user ? c->user : calloc(1, sizeof(*u));
	uint8_t random[16];

	if (!u)
		return NULL;
	c->user = u;
	if (token.len > 0 && !u->nick[0])
		snprintf(u->token, sizeof(u->token), "%.*s", SLICE_ARG(token));
	if (!u->token[0]) {
		worker_random(c->worker, random, sizeof(random));
		token_make(random, u->token);
	}
	return token_hash(slice_of(u->token), u->hash) ? u : NULL;
}

bool user_claim(struct conn *c, struct slice nick, struct slice token,
		bool asked)
{
	struct user *u = get_user(c, token);
	struct bus *bus = conn_hub(c)->bus;

	if (!u || u->wanted[0])
		return false; /* one at a time */
	snprintf(u->wanted, sizeof(u->wanted), "%.*s", SLICE_ARG(nick));
	u->asked = asked;
	if (bus->claim(bus, nick, slice_of(u->hash), c->ticket) == 0)
		return true;
	u->wanted[0] = '\0';
	return false;
}

static void signal_seat(struct conn *c, const struct seat *s,
			enum signal_kind kind, const char *nick,
			const char *now)
{
	struct hub *h = conn_hub(c);

	if (s->is_inbox)
		return;
	h->bus->signal(h->bus,
		       &(struct signal){
			       .kind = kind,
			       .room = slice_of(s->room->core.name),
			       .nick = slice_of(nick),
			       .text = slice_of(now),
			       .instance = slice_of(h->options.instance),
		       });
}

static void open_inbox(struct conn *c)
{
	char inbox[INBOX_MAX_BYTES], key[NAME_MAX_BYTES];
	struct seat_wish wish = {
		.show = conn_is_json(c) ? INBOX_SHOWN : 0,
	};

	name_key(slice_of(c->user->nick), key);
	name_inbox(slice_of(key), slice_of(c->user->hash), inbox);
	wish.room = slice_of(inbox);
	(void)seat_take(c, &wish);
}

static void close_inbox(struct conn *c)
{
	for (struct seat *s = c->seats, *next; s; s = next) {
		next = s->next;
		if (s->is_inbox)
			seat_leave(s);
	}
}

/* The nick is its own: everybody is told, and the old one is free. */
static void take_nick(struct conn *c)
{
	struct user *u = c->user;
	struct hub *h = conn_hub(c);
	char old[NAME_MAX_BYTES];

	close_inbox(c);
	snprintf(old, sizeof(old), "%s", u->nick);
	snprintf(u->nick, sizeof(u->nick), "%s", u->wanted);
	for (struct seat *s = c->seats; s; s = s->next) {
		if (old[0]) {
			signal_seat(c, s, SIGNAL_NICK, old, u->nick);
			continue;
		}
		hub_named(h, slice_of(s->room->core.name));
		signal_seat(c, s, SIGNAL_JOIN, u->nick, "");
	}
	if (old[0])
		h->bus->release(h->bus, slice_of(old), slice_of(u->hash),
				false);
	h->bus->signal(h->bus,
		       &(struct signal){
			       .kind = SIGNAL_TAKEN,
			       .nick = slice_of(u->nick),
			       .hash = slice_of(u->hash),
			       .instance = slice_of(h->options.instance),
			       .ticket = c->ticket,
		       });
	open_inbox(c);
}

void user_on_claimed(struct worker *w, struct conn *c, const struct note *n)
{
	struct user *u = c ? c->user : NULL;
	struct bus *bus = w->hub->bus;
	bool asked;

	if (!u || !slice_equal(slice_of(u->wanted), n->room)) {
		if (!n->flag)
			bus->release(bus, n->room, n->text, false);
		return;
	}
	asked = u->asked;
	if (!n->flag)
		take_nick(c);
	u->wanted[0] = '\0';
	u->asked = false;
	if (conn_is_json(c))
		json_on_claimed(c, n->room, n->flag);
	else if (asked)
		line_on_claimed(c, n->room, n->flag);
	conn_touch(c);
}

void user_end(struct conn *c)
{
	struct user *u = c->user;
	struct bus *bus = conn_hub(c)->bus;

	if (u && u->nick[0])
		bus->release(bus, slice_of(u->nick), slice_of(u->hash),
			     conn_is_json(c));
	free(u);
	c->user = NULL;
}

struct slice user_name(struct conn *c)
{
	uint32_t random;

	if (user_has_nick(c))
		return slice_of(c->user->nick);
	if (!c->guest[0]) {
		worker_random(c->worker, &random, sizeof(random));
		name_guest(random, c->guest);
	}
	return slice_of(c->guest);
}

struct slice user_hash(struct conn *c)
{
	if (c->user)
		return slice_of(c->user->hash);
	return c->wire == WIRE_HTTP ? SLICE("webhook") : SLICE("nobody");
}

void user_sign(struct conn *c, struct msg_fields *fields, char *stored)
{
	char made[MID_MADE + 1];
	uint8_t random[16];

	if (fields->mid.len == 0) {
		worker_random(c->worker, random, sizeof(random));
		mid_make(random, made);
		fields->mid = slice_of(made);
	}
	fields->mid.len = mid_store(user_hash(c), fields->mid, stored);
	fields->mid.at = stored;
	fields->instance = slice_of(conn_hub(c)->options.instance);
	fields->ts_ms = wall_ms();
}

/* ------------------------------------------------------------- signals */

static void on_taken(struct worker *w, const struct signal *s)
{
	for (struct conn *c = w->conns, *next; c; c = next) {
		next = c->next;
		if (conn_is_json(c) && conn_is_present(c) && user_has_nick(c) &&
		    c->ticket != s->ticket &&
		    slice_equal(slice_of(c->user->hash), s->hash) &&
		    name_same(slice_of(c->user->nick), s->nick))
			json_close(c, WS_TAKEN_OVER,
				   "the nick is used elsewhere", "left");
	}
}

static void on_kick(struct worker *w, const struct signal *s)
{
	for (struct conn *c = w->conns, *next; c; c = next) {
		next = c->next;
		if (!conn_is_present(c) || !user_has_nick(c) ||
		    !name_same(slice_of(c->user->nick), s->nick))
			continue;
		if (conn_is_json(c))
			json_close(c, WS_TAKEN_OVER, "removed by an operator",
				   "refused: an operator removed it");
		else
			conn_refuse(c, "an operator removed you",
				    "refused: an operator removed it");
	}
}

static void on_broadcast(struct worker *w, const struct signal *s)
{
	for (struct conn *c = w->conns; c; c = c->next) {
		struct writer out;

		if (!conn_is_present(c) || c->wire == WIRE_HTTP)
			continue;
		writer_init(&out, WSJSON_MAX);
		if (conn_is_json(c)) {
			writer_put_slice(&out, SLICE("{\"t\":\"notice\","
						     "\"text\":"));
			writer_put_json(&out, s->text);
			writer_put_slice(&out, SLICE("}"));
			json_send(c, &out);
		} else {
			writer_printf(&out, CHAT_SERVER_NICK "%.*s\n",
				      SLICE_ARG(s->text));
			conn_queue_writer(c, &out);
		}
	}
}

/*
 * Sends an object, frees out, to JSON members of the room, but not to one nick.
 * Each wire's form is made once.
 */
static void tell_room(struct worker *w, struct slice room, struct slice but,
		      struct writer *out)
{
	struct wroom *r = rooms_find(w, room);
	struct blob *frame = NULL, *line = NULL;

	if (r && !out->failed && out->len > 0) {
		frame = json_blob(writer_slice(out), WIRE_WS);
		line = json_blob(writer_slice(out), WIRE_JSON_LINES);
	}
	for (struct member *m = frame && line ? r->core.members : NULL, *next;
	     m; m = next) {
		struct conn *c = ((struct seat *)m->owner)->conn;

		next = m->next;
		if (!conn_is_json(c) ||
		    (but.len > 0 && user_has_nick(c) &&
		     name_same(slice_of(c->user->nick), but)))
			continue;
		conn_queue_blob(c, c->wire == WIRE_WS ? frame : line);
	}
	blob_unref(frame);
	blob_unref(line);
	writer_free(out);
}

static void on_topic(struct worker *w, const struct signal *s)
{
	struct wroom *r = rooms_find(w, s->room);
	struct writer out;

	if (r)
		room_set_topic(&r->core, s->text);
	writer_init(&out, WSJSON_MAX);
	wsjson_put_topic(&out, s->room, s->text, s->nick);
	tell_room(w, s->room, SLICE(""), &out);
}

static void on_typing(struct worker *w, const struct signal *s)
{
	struct writer out;

	writer_init(&out, WSJSON_MAX);
	wsjson_put_typing(&out, s->room, s->nick);
	tell_room(w, s->room, s->nick, &out);
}

static void on_state(struct worker *w, enum bus_state state)
{
	for (struct conn *c = w->conns; c; c = c->next) {
		struct writer out;

		if (!conn_is_json(c))
			continue;
		writer_init(&out, WSJSON_MAX);
		wsjson_put_state(&out, state == BUS_UP	   ? "up"
				       : state == BUS_DOWN ? "down"
							   : "off");
		json_send(c, &out);
	}
}

void signal_on_note(struct worker *w, const struct note *n)
{
	struct writer out;

	if (n->kind == NOTE_STATE) {
		on_state(w, n->state);
		return;
	}
	if (n->kind == NOTE_PRESENCE) {
		writer_init(&out, WSJSON_MAX);
		if (n->json)
			writer_put(&out, n->json->bytes, n->json->len);
		tell_room(w, n->room, SLICE(""), &out);
		return;
	}
	switch (n->signal.kind) {
	case SIGNAL_TOPIC: on_topic(w, &n->signal); break;
	case SIGNAL_TYPING: on_typing(w, &n->signal); break;
	case SIGNAL_TAKEN: on_taken(w, &n->signal); break;
	case SIGNAL_KICK: on_kick(w, &n->signal); break;
	case SIGNAL_BROADCAST: on_broadcast(w, &n->signal); break;
	case SIGNAL_JOIN:
	case SIGNAL_PART:
	case SIGNAL_NICK:
	case SIGNAL_GONE: break; /* announced in batches */
	}
}
