/* SPDX-License-Identifier: MIT */
/*
 * Signals: what is told to all instances and is in no log, as JSON on the
 * channel of the room or on the one of all instances. The hub of this instance
 * was told before (bus_redis.c), and what comes back of its own is ignored; but
 * for topics, whose last one must be the same everywhere.
 */
#include "core/json.h"
#include "io/bus_redis.h"

#include <stdio.h>

static const char *const kinds[] = {
	[SIGNAL_JOIN] = "join",	    [SIGNAL_PART] = "part",
	[SIGNAL_NICK] = "nick",	    [SIGNAL_TOPIC] = "topic",
	[SIGNAL_TYPING] = "typing", [SIGNAL_TAKEN] = "taken",
	[SIGNAL_KICK] = "kick",	    [SIGNAL_BROADCAST] = "broadcast",
	[SIGNAL_GONE] = "gone",
};

#define KINDS ((int)(sizeof(kinds) / sizeof(kinds[0])))

struct slice bus_publish_word(const struct bus_redis *b)
{
	return b->classic ? SLICE("PUBLISH") : SLICE("SPUBLISH");
}

void bus_publish(struct bus_redis *b, struct slice room, struct slice payload)
{
	char key[KEY_MAX];
	const struct slice channel =
		room.len > 0 ? bus_key(b, room, "ch", key)
			     : bus_key(b, SLICE("chat"), "all", key);
	const struct slice argv[] = {bus_publish_word(b), channel, payload};

	bus_tell(b, channel, 3, argv);
}

static void put(struct writer *w, const char *name, struct slice text)
{
	if (text.len == 0)
		return;
	writer_printf(w, ",\"%s\":", name);
	writer_put_json(w, text);
}

/* All of it up to its number. */
static void put_signal(struct bus_redis *b, struct writer *w, const char *kind,
		       const struct signal *s)
{
	writer_init(w, MSG_RECORD_MAX);
	writer_printf(w, "{\"k\":\"%s\",\"run\":\"%s\"", kind, b->run);
	put(w, "room", s->room);
	put(w, "nick", s->nick);
	put(w, "text", s->text);
	put(w, "instance", s->instance);
	put(w, "hash", s->hash);
	writer_printf(w, ",\"ticket\":\"");
}

static void publish(struct bus_redis *b, const char *kind, struct slice channel,
		    const struct signal *s)
{
	struct writer w;

	put_signal(b, &w, kind, s);
	writer_printf(&w, "%llu\"}", (unsigned long long)s->ticket);
	if (!w.failed)
		bus_publish(b, channel, writer_slice(&w));
	writer_free(&w);
}

static struct signal new_notice(const struct bus_redis *b, struct slice nick,
				struct slice hash)
{
	return (struct signal){.nick = nick,
			       .instance = slice_of(b->options.instance),
			       .hash = hash};
}

void bus_look_notice(struct bus_redis *b, struct slice room)
{
	const struct signal s = {.room = room};

	publish(b, "look", SLICE(""), &s);
}

void bus_nick_notice(struct bus_redis *b, const char *kind, struct slice nick,
		     struct slice hash, uint64_t number)
{
	struct signal s = new_notice(b, nick, hash);

	s.ticket = number;
	publish(b, kind, SLICE(""), &s);
}

void bus_nick_words(struct bus_redis *b, const char *kind, struct slice nick,
		    struct slice hash, struct nick_words *out)
{
	const struct signal s = new_notice(b, nick, hash);

	put_signal(b, &out->text, kind, &s);
	out->word[0] = bus_publish_word(b);
	out->word[1] = bus_chat_key(b, "all", out->channel);
	out->word[2] = writer_slice(&out->text);
}

static void set_topic(struct bus_redis *b, const struct signal *s)
{
	char key[KEY_MAX];
	const struct slice meta = bus_key(b, s->room, "meta", key);
	const struct slice argv[] = {SLICE("HSET"), meta, SLICE("topic"),
				     s->text};

	bus_tell(b, meta, 4, argv);
	bus_list_topic(b, s->room, s->text);
}

/*
 * A connection has another nick. The new one is written before the old one is
 * dropped, so whoever reads the list between the two misses nobody.
 */
static void rename_person(struct bus_redis *b, struct room_log *r,
			  const struct signal *s)
{
	const bool is_same = name_same(s->nick, s->text);
	struct signal told = *s;
	bool came = false, left;

	if (!is_same)
		came = bus_person(b, r, s->text, true);
	left = bus_person(b, r, s->nick, false);
	if (is_same)
		came = bus_person(b, r, s->text, true);
	if (!came && !left)
		return;
	/* Others know a nick of this instance once. */
	if (!came || !left) {
		told.kind = came ? SIGNAL_JOIN : SIGNAL_PART;
		told.nick = came ? s->text : s->nick;
		told.text = SLICE("");
	}
	publish(b, kinds[told.kind], s->room, &told);
}

/* To the other instances. */
static void tell_others(struct bus_redis *b, struct room_log *r,
			const struct signal *s)
{
	bool is_news = true;

	if (r && s->kind == SIGNAL_NICK) {
		rename_person(b, r, s);
		return;
	}
	if (r && s->kind == SIGNAL_TOPIC)
		set_topic(b, s);
	/* However many connections it has. */
	if (r && (s->kind == SIGNAL_JOIN || s->kind == SIGNAL_PART))
		is_news = bus_person(b, r, s->nick, s->kind == SIGNAL_JOIN);
	if (is_news)
		publish(b, kinds[s->kind], s->room, s);
}

static void note_topic(struct room_log *r, const struct signal *s)
{
	if (r && s->kind == SIGNAL_TOPIC)
		snprintf(r->topic, sizeof(r->topic), "%.*s",
			 SLICE_ARG(s->text));
}

void bus_signal(struct bus_redis *b, const struct signal *s)
{
	struct room_log *r = s->room.len > 0 ? bus_room_get(b, s->room) : NULL;
	const bool comes_back =
		s->kind == SIGNAL_TOPIC && r && r->channel.state == FOLLOW_ON;

	tell_others(b, r, s);
	if (s->kind != SIGNAL_TOPIC || comes_back)
		return;
	note_topic(r, s);
	if (b->hub)
		hub_on_signal(b->hub, s);
}

/* Of another instance, to those that are here. */
static void take_signal(struct bus_redis *b, const struct signal *s)
{
	struct room_log *r = bus_room_find(b, s->room);

	if (s->room.len > 0 && (!r || !r->followed))
		return;
	note_topic(r, s);
	if (r && s->kind == SIGNAL_JOIN) {
		bus_other(b, r, s->nick, s->instance, true);
	} else if (r && s->kind == SIGNAL_PART) {
		bus_other(b, r, s->nick, s->instance, false);
	} else if (r && s->kind == SIGNAL_NICK) {
		bus_renamed(b, r, s);
	} else if (b->hub) {
		hub_on_signal(b->hub, s);
	}
}

static void take_notice(struct bus_redis *b, struct slice kind,
			const struct signal *s)
{
	if (slice_equal(kind, SLICE("look"))) {
		struct room_log *r = bus_room_find(b, s->room);

		if (r && r->begun)
			bus_room_look(r);
	} else if (slice_equal(kind, SLICE("claim"))) {
		bus_nick_known(b, s->nick, s->hash, s->instance, 0, s->ticket);
	} else if (slice_equal(kind, SLICE("left"))) {
		bus_nick_known(b, s->nick, s->hash, s->instance, bus_time(b),
			       s->ticket);
	} else if (slice_equal(kind, SLICE("free"))) {
		bus_nick_gone(b, s->nick, s->ticket);
	}
}

void bus_signal_take(struct bus_redis *b, struct slice text)
{
	char why[JSON_WHY_MAX];
	json_t *json = json_read(text, why);
	struct signal s;
	struct slice kind;
	bool is_ours;
	int i = 0;

	if (!json)
		return;
	kind = json_text(json, "k", NULL);
	is_ours = slice_equal(json_text(json, "run", NULL), slice_of(b->run));
	s = (struct signal){.room = json_text(json, "room", NULL),
			    .nick = json_text(json, "nick", NULL),
			    .text = json_text(json, "text", NULL),
			    .instance = json_text(json, "instance", NULL),
			    .hash = json_text(json, "hash", NULL)};
	(void)slice_u64(json_text(json, "ticket", NULL), UINT64_MAX, &s.ticket);
	while (i < KINDS && !slice_equal(kind, slice_of(kinds[i])))
		i++;
	s.kind = (enum signal_kind)i;
	if (i == KINDS && !is_ours)
		take_notice(b, kind, &s);
	else if (i < KINDS && i != SIGNAL_GONE &&
		 (!is_ours || i == SIGNAL_TOPIC))
		take_signal(b, &s);
	json_decref(json);
}
