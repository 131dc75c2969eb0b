/* SPDX-License-Identifier: MIT */
/*
 * The rooms of the bus over Redis: what comes live and the pages that are asked
 * for become one log, and what the hub is told of it.
 *
 * A room is opened (hub_on_open()) when its last page and its topic are known.
 * If Redis is away it is opened blind, with what the store knows; what was in
 * the log before that is then not said as if it were new.
 */
#include "io/bus_redis.h"
#include "io/clock.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE_WAIT_MS 250

/* -------------------------------------------------------------- tables */

static unsigned bucket(struct slice name)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < name.len; i++)
		hash = (hash ^ (unsigned char)name.at[i]) * 16777619u;
	return hash % HASH_SIZE;
}

struct room_log *bus_room_find(struct bus_redis *b, struct slice name)
{
	struct room_log *r = b->rooms[bucket(name)];

	while (r && !slice_equal(slice_of(r->name), name))
		r = r->next;
	return r;
}

struct room_log *bus_room_get(struct bus_redis *b, struct slice name)
{
	struct room_log *r = bus_room_find(b, name);

	if (r || name.len >= ROOM_MAX_BYTES)
		return r;
	r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	memcpy(r->name, name.at, name.len);
	r->bus = b;
	r->posts_end = &r->posts;
	merge_init(&r->merge, b->hash_key);
	r->next = b->rooms[bucket(name)];
	b->rooms[bucket(name)] = r;
	b->room_count++;
	return r;
}

static void forget_recent(struct room_log *r)
{
	for (unsigned i = 0; i < r->recent_count; i++)
		msg_unref(r->recent[i]);
	r->recent_count = 0;
}

void bus_room_free(struct bus_redis *b, struct room_log *r)
{
	struct room_log **at = &b->rooms[bucket(slice_of(r->name))];

	if (!b->ending)
		bus_channel_attend(b, &r->channel, slice_of(r->name), false);
	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	b->room_count--;
	bus_posts_free(b, r);
	bus_people_free(r);
	forget_recent(r);
	merge_free(&r->merge);
	free(r);
}

bool bus_is_reachable(struct bus_redis *b, struct slice room)
{
	char key[KEY_MAX];
	const struct redis_node *n =
		redis_node_of(b->redis, bus_key(b, room, "log", key));

	return n && redis_node_is_up(n);
}

/* ------------------------------------------------------ what comes live */

/* "ID BODY", or "ID,PREV BODY" where an epoch begins. */
static struct msg *read_live(struct bus_redis *b, struct slice payload)
{
	const char *space = memchr(payload.at, ' ', payload.len);
	struct slice id_text = {payload.at, 0}, prev_text = SLICE("");
	struct msgid id, prev = MSGID_NONE;
	char why[MSG_WHY_MAX] = "it has no id";
	const char *comma;
	struct msg *m;

	if (space)
		id_text.len = (size_t)(space - payload.at);
	comma = memchr(id_text.at, ',', id_text.len);
	if (comma) {
		prev_text =
			slice_from(id_text, (size_t)(comma + 1 - id_text.at));
		id_text.len = (size_t)(comma - id_text.at);
	}
	if (msgid_parse(id_text, &id) &&
	    (!comma || msgid_parse(prev_text, &prev)) &&
	    msg_parse(&m, slice_from(payload, (size_t)(space + 1 - payload.at)),
		      id, prev, why) == 0)
		return m;
	bus_trouble(b, "redis: a message on a channel is not ours: %s", why);
	return NULL;
}

static void keep_recent(struct room_log *r, struct msg *m)
{
	if (r->recent_count == ROOM_RING) {
		msg_unref(r->recent[0]);
		memmove(&r->recent[0], &r->recent[1],
			(ROOM_RING - 1) * sizeof(r->recent[0]));
		r->recent_count--;
	}
	r->recent[r->recent_count++] = msg_ref(m);
}

/* Of a room that was opened blind: was it said before? */
static bool is_old(const struct room_log *r, const struct msg *m)
{
	return r->blind && (m->ts_ms < r->blind_ms ||
			    msgid_compare(m->id, r->blind_head) <= 0);
}

static void say(struct bus_redis *b, struct room_log *r, struct msg *m)
{
	keep_recent(r, m);
	if (!r->opened || !r->followed || !b->hub || is_old(r, m)) {
		if (b->store)
			b->store->append(b->store, m);
		return;
	}
	/* The members have nothing of what the log had meanwhile. */
	if (r->blind && !msgid_is_none(r->blind_head) &&
	    msgid_step(r->blind_head, m->id, m->prev) == MSGID_JUMP)
		hub_on_gap(b->hub, slice_of(r->name), r->blind_head, m->id);
	if (r->blind)
		r->blind_head = m->id;
	hub_on_message(b->hub, m);
}

/* Without it the archive and the ring would lack an id. */
static void repeat(struct bus_redis *b, struct room_log *r, struct msg *m)
{
	m->repeat = true;
	keep_recent(r, m);
	if (b->store)
		b->store->append(b->store, m);
	if (r->opened && r->followed && b->hub)
		hub_on_repeated(b->hub, m);
}

static void deliver(struct bus_redis *b, struct room_log *r)
{
	struct merge_out out;

	while ((out = merge_next(&r->merge)).what != MERGE_NOTHING) {
		switch (out.what) {
		case MERGE_MESSAGE: say(b, r, out.msg); break;
		case MERGE_ID:
			keep_recent(r, out.msg);
			if (b->hub)
				hub_on_identified(b->hub, out.msg);
			break;
		case MERGE_GAP:
			if (r->opened && r->followed && b->hub)
				hub_on_gap(b->hub, slice_of(r->name), out.from,
					   out.to);
			break;
		case MERGE_REPEAT: repeat(b, r, out.msg); break;
		case MERGE_NOTHING: break;
		}
		msg_unref(out.msg);
	}
}

void bus_room_live(struct bus_redis *b, struct room_log *r,
		   struct slice payload)
{
	struct msg *m = read_live(b, payload);

	if (!m)
		return;
	merge_live(&r->merge, m);
	msg_unref(m);
	deliver(b, r);
	if (merge_wants_fill(&r->merge))
		b->tick_ms = 0;
}
/* --------------------------------------------------------------- pages */

void bus_room_look(struct room_log *r)
{
	merge_interrupted(&r->merge);
	r->page_ms = 0;
	r->bus->tick_ms = 0;
}

static void fill(struct bus_redis *b, struct room_log *r,
		 const redisReply *entry)
{
	struct msg *m = bus_entry(b, entry);

	if (!m)
		return;
	merge_filled(&r->merge, r->question, m);
	msg_unref(m);
	deliver(b, r);
}

static void take_page(void *arg, const redisReply *reply)
{
	struct room_log *r = arg;
	struct bus_redis *b = r->bus;

	r->asked--;
	r->page_asked = false;
	if (b->ending)
		return;
	if (!reply_is_list(reply, 0)) {
		if (reply)
			bus_trouble(b, "redis: cannot read a log: %.*s",
				    SLICE_ARG(reply_text(reply)));
		merge_fill_end(&r->merge, r->question, false);
		r->page_ms = b->now_ms + PAGE_WAIT_MS;
		return;
	}
	/* The last ones come newest first. */
	for (size_t i = 0; i < reply->elements; i++)
		fill(b, r,
		     reply->element[r->page_is_last ? reply->elements - 1 - i
						    : i]);
	r->begun = true;
	merge_fill_end(&r->merge, r->question,
		       r->page_is_last || reply->elements < MERGE_PAGE);
	deliver(b, r);
	if (r->merge.state == MERGE_LIVE)
		r->blind = false;
	b->tick_ms = 0;
}

static void ask_page(struct bus_redis *b, struct room_log *r)
{
	char key[KEY_MAX], from[MSGID_TEXT_MAX + 1] = "(", number[12] = "";
	const struct slice log = bus_key(b, slice_of(r->name), "log", key);
	struct slice last[] = {SLICE("XREVRANGE"), log,
			       SLICE("+"),	   SLICE("-"),
			       SLICE("COUNT"),	   slice_of(number)};
	struct slice next[] = {SLICE("XRANGE"), log,
			       SLICE("-"),	SLICE("+"),
			       SLICE("COUNT"),	slice_of(number)};
	const struct redis_command c = {.key = log,
					.argc = 6,
					.argv = r->page_is_last ? last : next,
					.done = take_page,
					.arg = r,
					.patience_ms = ASK_PATIENCE_MS};

	snprintf(number, sizeof(number), "%u", MERGE_PAGE);
	last[5] = next[5] = slice_of(number);
	if (!msgid_is_none(r->merge.head)) {
		msgid_format(r->merge.head, from + 1);
		next[2] = slice_of(from);
	}
	r->question = merge_fill_begin(&r->merge);
	r->looked_ms = b->now_ms;
	if (bus_send(b, &c) != 0) {
		merge_fill_end(&r->merge, r->question, false);
		r->page_ms = b->now_ms + PAGE_WAIT_MS;
		return;
	}
	r->page_asked = true;
	r->asked++;
}

static void attend_log(struct bus_redis *b, struct room_log *r)
{
	const bool is_late = b->now_ms - r->looked_ms > LOOK_MS;
	const bool is_lost =
		msgid_compare(r->merge.head, r->posted) < 0 &&
		b->now_ms - (r->posted_ms > r->looked_ms ? r->posted_ms
							 : r->looked_ms) >
			LOST_MS;

	if (r->channel.state != FOLLOW_ON || r->page_asked ||
	    b->now_ms < r->page_ms)
		return;
	if (r->merge.state == MERGE_LIVE && (is_late || is_lost))
		merge_interrupted(&r->merge);
	/* Others were not told either: they look, too. */
	if (is_lost && r->begun)
		bus_look_notice(b, slice_of(r->name));
	if (merge_wants_fill(&r->merge)) {
		r->page_is_last = merge_is_fresh(&r->merge);
		ask_page(b, r);
	}
}

/* ------------------------------------------------------------- opening */

static void open_room(struct bus_redis *b, struct room_log *r)
{
	r->opened = true;
	if (b->hub)
		hub_on_open(b->hub, slice_of(r->name), slice_of(r->topic),
			    r->recent_count > 0
				    ? r->recent[r->recent_count - 1]->id
				    : r->merge.head,
			    r->recent, r->recent_count);
}

static void take_meta(void *arg, const redisReply *reply)
{
	struct room_log *r = arg;

	r->asked--;
	r->meta_asked = false;
	if (!reply_is_list(reply, 1) || r->bus->ending)
		return;
	snprintf(r->topic, sizeof(r->topic), "%.*s",
		 SLICE_ARG(reply_text(reply->element[0])));
	r->has_meta = true;
	r->bus->tick_ms = 0;
}

static void ask_meta(struct bus_redis *b, struct room_log *r)
{
	char key[KEY_MAX];
	const struct slice meta = bus_key(b, slice_of(r->name), "meta", key);
	const struct slice argv[] = {SLICE("HMGET"), meta, SLICE("topic")};
	const struct redis_command c = {.key = meta,
					.argc = 3,
					.argv = argv,
					.done = take_meta,
					.arg = r,
					.patience_ms = ASK_PATIENCE_MS};

	if (bus_send(b, &c) != 0)
		return;
	r->meta_asked = true;
	r->asked++;
}

static void open_blind(struct bus_redis *b, struct room_log *r)
{
	if (!r->begun) {
		r->blind = true;
		r->blind_ms = wall_ms();
		r->blind_head = r->recent_count > 0
					? r->recent[r->recent_count - 1]->id
					: MSGID_NONE;
	}
	open_room(b, r);
	/* The pages of the log will bring them again. */
	if (r->blind)
		forget_recent(r);
}

/* The end of the room, from the store; for opening it without Redis. */
static void do_stored(struct bus_redis *b, struct task *t)
{
	struct room_log *r = bus_room_find(b, t->name);

	if (r && !r->opened) {
		for (unsigned i = 0; !r->begun && i < t->count; i++)
			keep_recent(r, t->items[i]);
		open_blind(b, r);
	}
	task_free(t);
}

struct task *bus_page_task(struct bus_redis *b, const struct page *page,
			   void (*run)(struct bus_redis *b, struct task *t))
{
	struct task *t = task_new(b, run, page->room, SLICE(""));

	if (!t || page->count == 0)
		return t;
	t->items = calloc(page->count, sizeof(struct msg *));
	for (unsigned i = 0; t->items && i < page->count; i++)
		t->items[t->count++] = msg_ref(page->items[i]);
	return t;
}

static void take_stored(void *arg, uint64_t ticket, const struct page *page)
{
	struct bus_redis *b = arg;
	struct task *t = bus_page_task(b, page, do_stored);

	(void)ticket;
	if (t)
		bus_enqueue(b, t);
}

static void begin_blind(struct bus_redis *b, struct room_log *r)
{
	const struct page_question q = {
		.room = slice_of(r->name), .before = true, .limit = ROOM_RING};
	const struct page_reader reader = {take_stored, b, 0};

	if (r->store_asked)
		return;
	r->store_asked = b->store && b->store->read(b->store, &q, reader) == 0;
	if (!r->store_asked)
		open_blind(b, r);
}

static void attend_opening(struct bus_redis *b, struct room_log *r)
{
	const bool is_ready =
		r->begun && r->merge.state == MERGE_LIVE && r->has_meta;

	if (!r->has_meta && !r->meta_asked &&
	    bus_is_reachable(b, slice_of(r->name)))
		ask_meta(b, r);
	if (is_ready)
		open_room(b, r);
	else if (b->now_ms - r->wanted_ms > OPEN_PATIENCE_MS)
		begin_blind(b, r);
}

void bus_room_follow(struct bus_redis *b, struct room_log *r)
{
	r->followed = true;
	r->who_ms = 0;
	r->wanted_ms = b->now_ms;
	if (r->opened) {
		open_room(b, r);
		return;
	}
	r->store_asked = false;
}

void bus_room_attend(struct bus_redis *b, struct room_log *r)
{
	const bool wanted = r->followed || b->now_ms < r->keep_ms;

	bus_channel_attend(b, &r->channel, slice_of(r->name), wanted);
	/* The store first: then it has no hole before what comes live. */
	if (wanted && b->store && !r->has_archive)
		bus_archive_room(b, r);
	if (wanted && (!b->store || r->has_archive))
		attend_log(b, r);
	if (r->followed && !r->opened)
		attend_opening(b, r);
	if (r->opened && r->followed)
		bus_who(b, r);
	if (wanted)
		bus_list_room(b, r);
	if (r->posts)
		bus_posts_attend(b, r);
}
