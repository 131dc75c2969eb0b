/* SPDX-License-Identifier: MIT */
/*
 * Who is where: the list of each room, {ROOM}:who, and the directory of rooms,
 * {chat}:rooms. Signals tell what changes; they may be lost, so the lists are
 * read again now and then, and what differs is made good.
 */
#include "core/json.h"
#include "io/bus_redis.h"

#include <stdio.h>
#include <stdlib.h>

#define WHO_MS	60000
#define NEWS_MS 5000 /* news is not made undone by an older list */

/* ------------------------------------------------------ people of rooms */

static struct person **find_person(struct person **list, struct slice nick)
{
	while (*list && !slice_equal_case(slice_of((*list)->nick), nick))
		list = &(*list)->next;
	return list;
}

static struct person *add_person(struct person **list, struct slice nick)
{
	struct person *p = calloc(1, sizeof(*p) + nick.len + 1);

	if (!p)
		return NULL;
	if (nick.len > 0)
		memcpy(p->nick, nick.at, nick.len);
	p->next = *list;
	*list = p;
	return p;
}

static void free_list(struct person *p)
{
	while (p) {
		struct person *next = p->next;

		free(p);
		p = next;
	}
}

void bus_people_free(struct room_log *r)
{
	free_list(r->people);
	free_list(r->others);
	r->people = r->others = NULL;
}

static void write_who(struct bus_redis *b, struct room_log *r,
		      struct slice nick)
{
	char key[KEY_MAX];
	const struct slice who = bus_key(b, slice_of(r->name), "who", key);
	const struct slice argv[] = {SLICE("HSET"), who, nick,
				     slice_of(b->options.instance)};

	bus_tell(b, who, 4, argv);
}

bool bus_person(struct bus_redis *b, struct room_log *r, struct slice nick,
		bool comes)
{
	struct person **at = find_person(&r->people, nick);
	struct person *p = *at;
	char key[KEY_MAX];

	if (comes && !p) {
		p = add_person(&r->people, nick);
		if (!p)
			return true;
		r->people_count++;
		write_who(b, r, nick);
	}
	if (!p)
		return true;
	p->connections += comes ? 1u : -1u;
	if (p->connections > 0)
		return comes && p->connections == 1;
	*at = p->next;
	free(p);
	r->people_count--;
	bus_drop_field(b, bus_key(b, slice_of(r->name), "who", key), nick,
		       slice_of(b->options.instance));
	return true;
}

static void say_other(struct bus_redis *b, struct room_log *r,
		      enum signal_kind kind, struct slice nick,
		      struct slice instance)
{
	const struct signal s = {.kind = kind,
				 .room = slice_of(r->name),
				 .nick = nick,
				 .instance = instance};

	if (b->hub && r->followed)
		hub_on_signal(b->hub, &s);
}

/* The hub counts connections: it must be told of each person once. */
void bus_other(struct bus_redis *b, struct room_log *r, struct slice nick,
	       struct slice instance, bool comes)
{
	struct person **at = find_person(&r->others, nick);
	struct person *p = *at;
	const bool same = p && slice_equal(slice_of(p->instance), instance);

	if (comes == (p && same)) {
		if (p && comes)
			p->since_ms = b->now_ms;
		return;
	}
	if (!comes) {
		if (!p)
			return;
		*at = p->next;
		free(p);
		say_other(b, r, SIGNAL_PART, nick, instance);
		return;
	}
	if (!p)
		p = add_person(&r->others, nick);
	if (!p)
		return;
	bus_copy(p->instance, sizeof(p->instance), instance);
	p->since_ms = b->now_ms;
	p->found = true;
	say_other(b, r, SIGNAL_JOIN, nick, instance);
}

/*
 * A list that was read may have told the new name already, before this signal
 * came. For the hub, the signal is one connection more: it is taken back.
 */
void bus_renamed(struct bus_redis *b, struct room_log *r,
		 const struct signal *s)
{
	struct person **at = find_person(&r->others, s->nick);
	struct person *p = *at;
	bool is_known;

	if (p && slice_equal(slice_of(p->instance), s->instance)) {
		*at = p->next;
		free(p);
	}
	p = *find_person(&r->others, s->text);
	is_known = p && slice_equal(slice_of(p->instance), s->instance);
	if (!p)
		p = add_person(&r->others, s->text);
	if (p) {
		bus_copy(p->instance, sizeof(p->instance), s->instance);
		p->since_ms = b->now_ms;
		p->found = true;
	}
	if (b->hub)
		hub_on_signal(b->hub, s);
	if (is_known)
		say_other(b, r, SIGNAL_PART, s->text, s->instance);
}

/* One line of the list. */
static void compare_who(struct bus_redis *b, struct room_log *r,
			struct slice nick, struct slice instance)
{
	struct person *p;
	char key[KEY_MAX];

	if (bus_is_ours(b, instance)) {
		p = *find_person(&r->people, nick);
		if (p)
			p->found = true;
	} else {
		p = bus_peer_lives(b, instance) ? &(struct person){0} : NULL;
		if (p) {
			bus_other(b, r, nick, instance, true);
			p = *find_person(&r->others, nick);
		}
		if (p)
			p->found = true;
	}
	if (!p)
		bus_drop_field(b, bus_key(b, slice_of(r->name), "who", key),
			       nick, instance);
}

/* What the list does not have: others have left, ours must be in it. */
static void compare_rest(struct bus_redis *b, struct room_log *r)
{
	struct person *next;

	for (struct person *p = r->others; p; p = next) {
		char nick[NAME_MAX_BYTES], instance[INSTANCE_MAX];

		next = p->next;
		if (p->found || b->now_ms - p->since_ms < NEWS_MS)
			continue;
		bus_copy(nick, sizeof(nick), slice_of(p->nick));
		bus_copy(instance, sizeof(instance), slice_of(p->instance));
		bus_other(b, r, slice_of(nick), slice_of(instance), false);
	}
	for (struct person *p = r->people; p; p = p->next)
		if (!p->found)
			write_who(b, r, slice_of(p->nick));
}

static void take_who(void *arg, const redisReply *reply)
{
	struct room_log *r = arg;
	struct bus_redis *b = r->bus;

	r->asked--;
	r->who_asked = false;
	if (b->ending)
		return;
	if (!reply_is_list(reply, 0)) {
		if (r->who_ms > b->now_ms + LEASE_MS)
			r->who_ms = b->now_ms + LEASE_MS;
		return;
	}
	for (struct person *p = r->others; p; p = p->next)
		p->found = false;
	for (struct person *p = r->people; p; p = p->next)
		p->found = false;
	for (size_t i = 0; i + 1 < reply->elements; i += 2)
		compare_who(b, r, reply_text(reply->element[i]),
			    reply_text(reply->element[i + 1]));
	compare_rest(b, r);
}

void bus_who(struct bus_redis *b, struct room_log *r)
{
	char key[KEY_MAX];

	if (r->who_asked || b->now_ms < r->who_ms || !b->has_peers ||
	    !bus_is_reachable(b, slice_of(r->name)))
		return;
	if (bus_ask_all(b, bus_key(b, slice_of(r->name), "who", key), take_who,
			r) != 0)
		return;
	r->who_asked = true;
	r->who_ms = b->now_ms + WHO_MS;
	r->asked++;
}

void bus_others_gone(struct bus_redis *b, struct slice instance)
{
	for (unsigned i = 0; i < HASH_SIZE; i++)
		for (struct room_log *r = b->rooms[i]; r; r = r->next) {
			struct person **at = &r->others;

			while (*at) {
				struct person *p = *at;

				if (!slice_equal(slice_of(p->instance),
						 instance)) {
					at = &p->next;
					continue;
				}
				*at = p->next;
				free(p);
			}
			r->who_ms = 0; /* removes them from the list */
		}
}

void bus_who_again(struct bus_redis *b, struct room_log *r)
{
	r->who_ms = 0;
	r->listed = false;
	r->listed_count = ~0u;
	for (struct person *p = r->people; p; p = p->next)
		write_who(b, r, slice_of(p->nick));
}

/* ------------------------------------------------------------ directory */

/* Inboxes are nobody's business. */
static bool is_listed(struct slice room)
{
	return room.len > 0 && room.at[0] != '@';
}

void bus_list_topic(struct bus_redis *b, struct slice room, struct slice topic)
{
	char key[KEY_MAX];
	const struct slice hash = bus_chat_key(b, "rooms", key);
	struct slice argv[] = {SLICE("HSET"), hash, room, {0}};
	struct writer w;

	if (!is_listed(room))
		return;
	writer_init(&w, 4096);
	writer_printf(&w, "{\"topic\":");
	writer_put_json(&w, topic);
	writer_printf(&w, "}");
	argv[3] = writer_slice(&w);
	if (!w.failed)
		bus_tell(b, hash, 4, argv);
	writer_free(&w);
}

/* "ROOM INSTANCE" -> how many of them are there. */
static void list_count(struct bus_redis *b, struct room_log *r)
{
	char key[KEY_MAX], field[ROOM_MAX_BYTES + INSTANCE_MAX + 1], number[12];
	const struct slice hash = bus_chat_key(b, "rooms", key);
	const bool any = r->people_count > 0;
	const int len = snprintf(field, sizeof(field), "%s %s", r->name,
				 b->options.instance);
	const struct slice argv[] = {any ? SLICE("HSET") : SLICE("HDEL"),
				     hash,
				     {field, (size_t)len},
				     {number, 0}};
	struct slice words[4];

	memcpy(words, argv, sizeof(words));
	words[3].len =
		(size_t)snprintf(number, sizeof(number), "%u", r->people_count);
	bus_tell(b, hash, any ? 4 : 3, words);
	r->listed_count = r->people_count;
}

void bus_list_room(struct bus_redis *b, struct room_log *r)
{
	char key[KEY_MAX];
	const struct slice hash = bus_chat_key(b, "rooms", key);
	const struct slice argv[] = {SLICE("HSETNX"), hash, slice_of(r->name),
				     SLICE("{\"topic\":\"\"}")};

	if (!is_listed(slice_of(r->name)) || !bus_chat_is_reachable(b))
		return;
	if (!r->listed)
		bus_tell(b, hash, 4, argv);
	r->listed = true;
	if (r->listed_count != r->people_count)
		list_count(b, r);
}

static struct bus_room *find_listed(struct bus_room *list, unsigned count,
				    struct slice name)
{
	for (unsigned i = 0; i < count; i++)
		if (slice_equal(slice_of(list[i].name), name))
			return &list[i];
	return NULL;
}

static void read_listed(struct bus_room *room, struct slice value)
{
	char why[JSON_WHY_MAX];
	json_t *json = json_read(value, why);

	if (!json)
		return;
	bus_copy(room->topic, sizeof(room->topic),
		 json_text(json, "topic", NULL));
	room->e2ee = json_is_true(json_object_get(json, "e2ee"));
	json_decref(json);
}

/* The rooms first, then who is in them. */
static unsigned read_rooms(const redisReply *reply, struct bus_room *list)
{
	unsigned count = 0;

	for (size_t i = 0; i + 1 < reply->elements; i += 2) {
		const struct slice field = reply_text(reply->element[i]);

		if (field.len == 0 || field.len >= ROOM_MAX_BYTES ||
		    memchr(field.at, ' ', field.len))
			continue;
		list[count] = (struct bus_room){0};
		bus_copy(list[count].name, sizeof(list[count].name), field);
		read_listed(&list[count], reply_text(reply->element[i + 1]));
		count++;
	}
	return count;
}

static int compare_rooms(const void *a, const void *b)
{
	const struct bus_room *one = a, *two = b;

	return strcmp(one->name, two->name);
}

static void read_counts(struct bus_redis *b, const redisReply *reply,
			struct bus_room *list, unsigned count)
{
	char key[KEY_MAX];

	for (size_t i = 0; i + 1 < reply->elements; i += 2) {
		const struct slice field = reply_text(reply->element[i]);
		const struct slice value = reply_text(reply->element[i + 1]);
		const char *space =
			field.len ? memchr(field.at, ' ', field.len) : NULL;
		struct bus_room *room;
		unsigned long here;

		if (!space || !slice_number(value, 1000000, &here))
			continue;
		if (!bus_peer_lives(b, slice_from(field, (size_t)(space + 1 -
								  field.at)))) {
			bus_drop_field(b, bus_chat_key(b, "rooms", key), field,
				       value);
			continue;
		}
		room = find_listed(
			list, count,
			(struct slice){field.at, (size_t)(space - field.at)});
		if (room)
			room->here += (unsigned)here;
	}
}

static void take_directory(void *arg, const redisReply *reply)
{
	struct bus_redis *b = arg;
	struct bus_room *list, *old;
	unsigned count;

	if (!reply_is_list(reply, 0) || b->ending || !b->has_peers)
		return;
	list = calloc(reply->elements / 2 + 1, sizeof(*list));
	if (!list)
		return;
	count = read_rooms(reply, list);
	qsort(list, count, sizeof(*list), compare_rooms);
	read_counts(b, reply, list, count);
	pthread_mutex_lock(&b->lock);
	old = b->directory;
	b->directory = list;
	b->directory_count = count;
	b->has_directory = true;
	pthread_mutex_unlock(&b->lock);
	free(old);
}

void bus_directory_read(struct bus_redis *b)
{
	char key[KEY_MAX];

	bus_ask_all(b, bus_chat_key(b, "rooms", key), take_directory, b);
}

void bus_who_leave(struct bus_redis *b, struct room_log *r)
{
	char key[KEY_MAX];

	for (struct person *p = r->people; p; p = p->next) {
		const struct signal s = {.kind = SIGNAL_PART,
					 .room = slice_of(r->name),
					 .nick = slice_of(p->nick),
					 .instance =
						 slice_of(b->options.instance)};

		bus_drop_field(b, bus_key(b, s.room, "who", key), s.nick,
			       s.instance);
	}
	r->people_count = 0;
	list_count(b, r);
}
