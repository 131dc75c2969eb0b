/* SPDX-License-Identifier: MIT */
/* See command.h. */
#include "io/command.h"
#include "core/mid.h"
#include "io/user.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define ROOMS_SHOWN 1000

static struct seat *seat_of(const struct conn *c)
{
	struct seat *s = c->seats;

	while (s && s->is_inbox)
		s = s->next;
	return s;
}

static struct writer new_answer(void)
{
	struct writer w;

	writer_init(&w, LINECMD_ANSWER_MAX);
	return w;
}

void conn_refuse_line(struct conn *c, const char *sentence)
{
	struct writer w = new_answer();

	linecmd_put(&w, "%s", sentence);
	conn_queue_writer(c, &w);
}

/* ---------------------------------------------------------- what is known */

bool people_get(struct people *p, struct hub *h, struct slice room)
{
	const size_t name_size = NAME_MAX_BYTES + INSTANCE_MAX;
	struct hub_room *r;
	bool ok = true;

	*p = (struct people){0};
	pthread_mutex_lock(&h->lock);
	r = hub_room_find(h, room);
	if (r && r->presence.count > 0) {
		p->list = calloc(r->presence.count, sizeof(*p->list));
		p->names = malloc(r->presence.count * name_size);
		ok = p->list && p->names;
	}
	if (r)
		p->unnamed = r->unnamed;
	for (unsigned i = 0; r && ok && i < r->presence.count; i++) {
		const struct presence_person *person = r->presence.people[i];
		char *nick = p->names + p->count * name_size;
		char *instance = nick + NAME_MAX_BYTES;

		if (person->quiet_ms)
			continue;
		snprintf(nick, NAME_MAX_BYTES, "%s", person->nick);
		snprintf(instance, INSTANCE_MAX, "%s", person->instance);
		p->list[p->count++] = (struct wsjson_person){
			slice_of(nick), slice_of(instance)};
	}
	pthread_mutex_unlock(&h->lock);
	return ok;
}

void people_free(struct people *p)
{
	free(p->list);
	free(p->names);
}

struct bus_room *rooms_get(struct hub *h, unsigned *count)
{
	struct bus_room *list = calloc(ROOMS_SHOWN, sizeof(*list));

	*count = 0;
	if (!list)
		return NULL;
	*count = h->bus->rooms(h->bus, list, ROOMS_SHOWN);
	if (*count > 0)
		return list;
	pthread_mutex_lock(&h->lock);
	for (struct hub_room *r = h->rooms; r && *count < ROOMS_SHOWN;
	     r = r->next) {
		struct bus_room *room = &list[*count];
		const unsigned here = r->presence.here + r->unnamed;

		if (r->name[0] == '@')
			continue;
		snprintf(room->name, sizeof(room->name), "%s", r->name);
		snprintf(room->topic, sizeof(room->topic), "%s", r->topic);
		room->here = here;
		++*count;
	}
	pthread_mutex_unlock(&h->lock);
	return list;
}

static unsigned here_in(struct hub *h, struct slice room)
{
	struct hub_room *r;
	unsigned here = 0;

	pthread_mutex_lock(&h->lock);
	r = hub_room_find(h, room);
	if (r)
		here = r->presence.here + r->unnamed;
	pthread_mutex_unlock(&h->lock);
	return here;
}

/* --------------------------------------------------------------- rooms */

static void put_lines(struct conn *c, struct msg *const *items, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const struct slice line = msg_line(items[i]);

		conn_queue_answer(c, line.at, line.len);
	}
}

static void put_recent(struct conn *c, struct seat *s, unsigned wanted)
{
	struct msg *items[LINECMD_HISTORY_MAX];
	const struct slice room = slice_of(s->room->core.name);
	struct writer w = new_answer();
	bool complete;
	unsigned count = room_history(&s->room->core, MSGID_NONE, items, wanted,
				      &complete);
	const struct page_question question = {
		.room = room, .before = true, .limit = wanted, .once = true};

	/* What the ring has not, the log may have. */
	if (!complete && hub_read(conn_hub(c), &question, c->ticket,
				  !hub_has_store(conn_hub(c))) == 0)
		return;
	linecmd_put_history_head(&w, room, count);
	conn_queue_writer(c, &w);
	put_lines(c, items, count);
	w = new_answer();
	linecmd_put_history_end(&w);
	conn_queue_writer(c, &w);
}

void line_on_page(struct conn *c, const struct note *n)
{
	struct writer w = new_answer();

	if (n->failed) {
		linecmd_put(&w, "the history cannot be read now");
		conn_queue_writer(c, &w);
		return;
	}
	linecmd_put_history_head(&w, n->room, n->count);
	conn_queue_writer(c, &w);
	put_lines(c, n->msgs, n->count);
	w = new_answer();
	linecmd_put_history_end(&w);
	conn_queue_writer(c, &w);
}

/* Only those that it asked to join are told. */
void line_on_joined(struct conn *c, struct seat *s)
{
	const struct slice room = slice_of(s->room->core.name);
	struct writer w = new_answer();

	if (s->is_inbox || c->phase != CONN_HERE || c->wire != WIRE_LINES ||
	    !s->asked_for)
		return;
	linecmd_put_joined(&w, room, here_in(conn_hub(c), room),
			   slice_of(s->room->core.topic));
	conn_queue_writer(c, &w);
	put_recent(c, s, LINECMD_JOIN_HISTORY);
}

static void join(struct conn *c, struct slice name)
{
	char room[ROOM_MAX_BYTES];
	struct seat *old = seat_of(c);
	struct seat_wish wish = {.asked_for = true};
	int error;

	name_key(name, room);
	wish.room = slice_of(room);
	if (old && slice_equal(slice_of(old->room->core.name), wish.room)) {
		old->asked_for = true;
		line_on_joined(c, old);
		return;
	}
	error = seat_take(c, &wish);
	if (error == -ENOSPC)
		conn_refuse_line(c, "there are too many rooms");
	else if (error)
		conn_refuse_line(c, "the server has no memory for it");
	else if (old)
		seat_leave(old);
}

static void put_rooms(struct conn *c)
{
	struct writer w = new_answer();
	unsigned count;
	struct bus_room *list = rooms_get(conn_hub(c), &count);
	struct linecmd_room *rooms = calloc(count + 1, sizeof(*rooms));

	for (unsigned i = 0; rooms && i < count; i++)
		rooms[i] = (struct linecmd_room){slice_of(list[i].name),
						 slice_of(list[i].topic),
						 list[i].here};
	if (rooms)
		linecmd_put_rooms(&w, rooms, count);
	free(rooms);
	conn_queue_writer(c, &w);
	free(list);
}

static void put_who(struct conn *c, struct slice name)
{
	struct writer w = new_answer();
	struct linecmd_person *list;
	char room[ROOM_MAX_BYTES];
	struct people people;

	if (name.len == 0)
		name = slice_of(seat_of(c)->room->core.name);
	name_key(name, room);
	list = NULL;
	if (people_get(&people, conn_hub(c), slice_of(room)))
		list = calloc(people.count + 1, sizeof(*list));
	for (size_t i = 0; list && i < people.count; i++)
		list[i] = (struct linecmd_person){people.list[i].nick,
						  people.list[i].instance};
	if (list)
		linecmd_put_who(&w, list, people.count, people.unnamed);
	free(list);
	conn_queue_writer(c, &w);
	people_free(&people);
}

/* --------------------------------------------------------------- people */

void line_on_claimed(struct conn *c, struct slice nick, bool taken)
{
	struct writer w = new_answer();
	char other[NAME_MAX_BYTES] = "";

	if (taken)
		name_propose(nick, 2, other);
	linecmd_put_nick(&w, nick, slice_of(other));
	conn_queue_writer(c, &w);
}

static void change_nick(struct conn *c, struct slice nick)
{
	if (user_has_nick(c) && slice_equal(nick, slice_of(c->user->nick)))
		line_on_claimed(c, nick, false);
	else if (!user_claim(c, nick, SLICE(""), true))
		conn_refuse_line(c, "try again in a moment");
}

int direct_post(struct conn *c, struct slice to, struct slice text,
		struct slice mid, bool retry, enum msg_via via, bool *here)
{
	char hash[TOKEN_HASH_LEN + 1], instance[INSTANCE_MAX];
	char inbox[INBOX_MAX_BYTES], key[NAME_MAX_BYTES];
	char stored[MID_STORED_MAX];
	struct bus *bus = conn_hub(c)->bus;
	struct msg_fields fields = {
		.mid = mid,
		.to = to,
		.text = text,
		.sender = user_name(c),
		.via = via,
		.type = MSG_DIRECT,
		.verified = user_has_nick(c),
	};
	struct msg *m;
	int error;

	if (!bus->holder(bus, to, hash, instance, here))
		return -ENOENT;
	name_key(to, key);
	name_inbox(slice_of(key), slice_of(hash), inbox);
	fields.room = slice_of(inbox);
	user_sign(c, &fields, stored);
	error = msg_new(&m, &fields);
	if (error)
		return error;
	switch (conn_post(c, m, retry)) {
	case POST_OK: return 0;
	case POST_BUSY: return -EAGAIN;
	case POST_NO_MEMORY: break;
	}
	return -ENOMEM;
}

static void send_direct(struct conn *c, const struct linecmd_line *l)
{
	struct writer w = new_answer();
	bool here = false;
	int error;

	error = direct_post(c, l->name, l->text, SLICE(""), false, MSG_LINE,
			    &here);
	if (error == 0)
		writer_printf(&w, "[%.*s -> %.*s] %.*s\n",
			      SLICE_ARG(user_name(c)), SLICE_ARG(l->name),
			      SLICE_ARG(l->text));
	if (error == -ENOENT || (error == 0 && !here))
		linecmd_put_absent(&w, l->name, error == 0);
	else if (error)
		linecmd_put(&w, "not said: the service is under maintenance, "
				"try again later");
	conn_queue_writer(c, &w);
}

static bool act(struct conn *c, const struct linecmd_line *l)
{
	struct linecmd_line act = *l;

	act.nick = l->nick;
	return line_say(c, &act, (struct slice){NULL, 0}, MSG_ACTION);
}

bool command_say_slash(struct conn *c, const struct linecmd_line *l)
{
	struct linecmd_line said = *l;
	struct writer w;
	bool stays;

	/* The bytes of the line but for one "/". */
	writer_init(&w, CHAT_LINE_MAX);
	writer_put_slice(&w, l->prefix);
	writer_put_slice(&w, l->text);
	stays = line_say(c, &said, writer_slice(&w), MSG_TEXT);
	writer_free(&w);
	return stays;
}

static void topic(struct conn *c, const struct linecmd_line *l)
{
	const struct seat *s = seat_of(c);
	struct hub *h = conn_hub(c);
	struct writer w = new_answer();

	if (l->text.len > 0)
		h->bus->signal(h->bus,
			       &(struct signal){
				       .kind = SIGNAL_TOPIC,
				       .room = slice_of(s->room->core.name),
				       .nick = user_name(c),
				       .text = l->text,
			       });
	linecmd_put_topic(&w, slice_of(s->room->core.name),
			  l->text.len > 0 ? l->text
					  : slice_of(s->room->core.topic));
	conn_queue_writer(c, &w);
}

static void put_server(struct conn *c)
{
	struct hub *h = conn_hub(c);
	const enum bus_state state = h->bus->state(h->bus);
	struct writer w = new_answer();
	unsigned clients;

	pthread_mutex_lock(&h->lock);
	clients = h->here;
	pthread_mutex_unlock(&h->lock);
	linecmd_put_server(&w,
			   &(struct linecmd_server){
				   .instance = slice_of(h->options.instance),
				   .redis = state == BUS_UP	? SLICE("up")
					    : state == BUS_DOWN ? SLICE("down")
								: SLICE("off"),
				   .uptime_s = (uint64_t)(worker_ms(c->worker) -
							  h->started_ms) /
					       1000,
				   .clients = clients,
			   });
	conn_queue_writer(c, &w);
}

static void put_help(struct conn *c)
{
	struct writer w = new_answer();

	linecmd_put_help(&w);
	conn_queue_writer(c, &w);
}

static void put_refusal(struct conn *c, const struct linecmd_line *l)
{
	struct writer w = new_answer();

	linecmd_put_refusal(&w, l);
	conn_queue_writer(c, &w);
}

bool command_run(struct conn *c, const struct linecmd_line *l)
{
	conn_settle(c);
	if (l->what == LINECMD_JOIN)
		conn_owe(c, &c->joined, RATE_JOINS);
	else
		conn_owe(c, &c->asked, RATE_COMMANDS);
	switch (l->what) {
	case LINECMD_HELP: put_help(c); break;
	case LINECMD_JOIN: join(c, l->name); break;
	case LINECMD_ROOMS: put_rooms(c); break;
	case LINECMD_WHO: put_who(c, l->name); break;
	case LINECMD_MSG: send_direct(c, l); break;
	case LINECMD_ME: return act(c, l);
	case LINECMD_NICK: change_nick(c, l->name); break;
	case LINECMD_TOPIC: topic(c, l); break;
	case LINECMD_HISTORY: put_recent(c, seat_of(c), l->count); break;
	case LINECMD_SERVER: put_server(c); break;
	case LINECMD_QUIT: return false;
	case LINECMD_JSON: return json_start(c, WIRE_JSON_LINES);
	case LINECMD_REFUSED: put_refusal(c, l); break;
	case LINECMD_NONE: break;
	}
	return conn_is_present(c);
}
