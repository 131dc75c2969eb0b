/* SPDX-License-Identifier: MIT */
/*
 * The bus without Redis (bus.h): one instance. A room's log is in memory, and
 * in the store if there is one: then a room first asks it for its end, and
 * posts wait until that is known. Each start begins a new epoch.
 *
 * One lock; the hub is told under it, so the order of a room is the order in
 * which it got its ids.
 */
#include "core/merge.h"
#include "core/presence.h"
#include "core/room.h"
#include "io/shared.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Rooms that are remembered, also those that nobody follows. */
#define LOCAL_ROOMS_MAX 4096
/* Messages of all logs; the room that is posted to gives up its oldest. */
#define LOCAL_LOG_BYTES ((size_t)64 * 1024 * 1024)
#define NICKS_MAX	10000
#define INBOX_MS	(INT64_C(24) * 3600 * 1000)
#define HASH_SIZE	1024

struct posted_early {
	struct posted_early *next;
	struct msg *msg;
	uint64_t ticket;
};

struct local_room {
	struct local_room *next;
	uint64_t used; /* when it was used last, as a count */
	bool followed;
	bool loading; /* the store was asked for the end of its log */
	struct posted_early *early, **early_end;
	struct merge merge;
	struct msgid last, epoch_before;
	struct msg **log; /* owned, oldest first, from .first */
	unsigned first, count, capacity;
	char name[ROOM_MAX_BYTES], topic[TOPIC_MAX + 1];
};

struct nick {
	struct nick *next;
	char key[NAME_MAX_BYTES], hash[TOKEN_HASH_LEN + 1];
	unsigned here;	 /* connections */
	int64_t left_ms; /* when the last one ended */
};

struct bus_local {
	struct bus bus;
	struct hub *hub;
	struct store *store;
	unsigned log_max;
	uint64_t hash_key;

	pthread_mutex_t lock; /* guards all fields below */
	struct local_room *rooms[HASH_SIZE];
	struct nick *nicks[HASH_SIZE];
	unsigned room_count, nick_count;
	uint64_t uses;
	size_t log_bytes;
};

static struct bus_local *local(struct bus *b)
{
	return (struct bus_local *)b;
}

/* ---------------------------------------------------------------- log */

static void forget_oldest(struct bus_local *b, struct local_room *r)
{
	b->log_bytes -= msg_bytes(r->log[r->first]);
	msg_unref(r->log[r->first]);
	r->first++;
	r->count--;
}

static bool log_append(struct bus_local *b, struct local_room *r, struct msg *m)
{
	while (r->count > 0 &&
	       (r->count >= b->log_max || b->log_bytes > LOCAL_LOG_BYTES))
		forget_oldest(b, r);
	if (r->first + r->count == r->capacity) {
		unsigned capacity = r->count * 2 + 16;
		struct msg **log = malloc(capacity * sizeof(struct msg *));

		if (!log)
			return false;
		if (r->count > 0)
			memcpy(log, r->log + r->first,
			       r->count * sizeof(struct msg *));
		free(r->log);
		r->log = log;
		r->first = 0;
		r->capacity = capacity;
	}
	r->log[r->first + r->count++] = msg_ref(m);
	b->log_bytes += msg_bytes(m);
	return true;
}

/* ------------------------------------------------------------- tables */

static unsigned bucket(struct slice text)
{
	uint32_t hash = 2166136261u; /* FNV-1a: names of rooms are no secret */

	for (size_t i = 0; i < text.len; i++)
		hash = (hash ^ (unsigned char)text.at[i]) * 16777619u;
	return hash % HASH_SIZE;
}

static struct local_room *room_find(struct bus_local *b, struct slice name)
{
	struct local_room *r = b->rooms[bucket(name)];

	while (r && !slice_equal(slice_of(r->name), name))
		r = r->next;
	return r;
}

static void room_free(struct bus_local *b, struct local_room *r)
{
	struct local_room **at = &b->rooms[bucket(slice_of(r->name))];

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	b->room_count--;
	while (r->count > 0)
		forget_oldest(b, r);
	while (r->early) {
		struct posted_early *e = r->early;

		r->early = e->next;
		msg_unref(e->msg);
		free(e);
	}
	merge_free(&r->merge);
	free(r->log);
	free(r);
}

/* The one that nobody follows and that was not used for the longest time. */
static void forget_room(struct bus_local *b)
{
	struct local_room *oldest = NULL;

	for (unsigned i = 0; i < HASH_SIZE; i++)
		for (struct local_room *r = b->rooms[i]; r; r = r->next)
			if (!r->followed && !r->loading &&
			    (!oldest || r->used < oldest->used))
				oldest = r;
	if (oldest)
		room_free(b, oldest);
}

static void post_now(struct bus_local *b, struct local_room *r, struct msg *m,
		     uint64_t ticket);

static void opened(struct bus_local *b, struct local_room *r)
{
	const unsigned recent = r->count < ROOM_RING ? r->count : ROOM_RING;

	if (r->followed)
		hub_on_open(b->hub, slice_of(r->name), slice_of(r->topic),
			    r->last, r->log + r->first + r->count - recent,
			    recent);
}

/* The end of the room's log, from the store. */
static void take_end(void *arg, uint64_t ticket, const struct page *page)
{
	struct bus_local *b = arg;
	struct local_room *r;

	(void)ticket;
	pthread_mutex_lock(&b->lock);
	r = room_find(b, page->room);
	if (!r || !r->loading) {
		pthread_mutex_unlock(&b->lock);
		return;
	}
	r->loading = false;
	for (unsigned i = 0; i < page->count; i++)
		log_append(b, r, page->items[i]);
	if (page->count > 0)
		r->last = page->items[page->count - 1]->id;
	r->epoch_before = r->last;
	merge_start(&r->merge, r->last);
	opened(b, r);
	while (r->early) {
		struct posted_early *e = r->early;

		r->early = e->next;
		post_now(b, r, e->msg, e->ticket);
		free(e);
	}
	r->early_end = &r->early;
	pthread_mutex_unlock(&b->lock);
}

/* The caller holds the lock. *ask: the store must be asked, without it. */
static struct local_room *room_get(struct bus_local *b, struct slice name,
				   bool *ask)
{
	struct local_room *r = room_find(b, name);

	*ask = false;
	if (!r && b->room_count >= LOCAL_ROOMS_MAX)
		forget_room(b);
	if (!r)
		r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->used = ++b->uses;
	if (r->name[0])
		return r;
	memcpy(r->name, name.at, name.len);
	r->early_end = &r->early;
	merge_init(&r->merge, b->hash_key);
	r->next = b->rooms[bucket(name)];
	b->rooms[bucket(name)] = r;
	b->room_count++;
	r->loading = *ask = b->store;
	if (!b->store)
		merge_start(&r->merge, MSGID_NONE);
	return r;
}

static void ask_store(struct bus_local *b, struct slice name)
{
	const struct page_question end = {
		.room = name, .before = true, .limit = ROOM_RING};
	const struct page_reader reader = {take_end, b, 0};
	struct page nothing = {.room = name, .failed = true};

	/* Without it the log begins now: better than no room. */
	if (b->store->read(b->store, &end, reader) != 0)
		take_end(b, 0, &nothing);
}

/* ------------------------------------------------------------- follow */

static int local_follow(struct bus *bus, struct slice name)
{
	struct bus_local *b = local(bus);
	struct local_room *r;
	bool ask;

	pthread_mutex_lock(&b->lock);
	r = room_get(b, name, &ask);
	if (r)
		r->followed = true;
	if (r && !r->loading)
		opened(b, r);
	pthread_mutex_unlock(&b->lock);
	if (!r)
		return -ENOMEM;
	if (ask)
		ask_store(b, name);
	return 0;
}

static void local_unfollow(struct bus *bus, struct slice name)
{
	struct bus_local *b = local(bus);
	struct local_room *r;

	pthread_mutex_lock(&b->lock);
	r = room_find(b, name);
	if (r)
		r->followed = false;
	pthread_mutex_unlock(&b->lock);
}

/* --------------------------------------------------------------- post */

static struct msgid id_of_mid(const struct local_room *r, struct slice mid)
{
	for (unsigned i = r->count; i > 0; i--)
		if (slice_equal(r->log[r->first + i - 1]->mid, mid))
			return r->log[r->first + i - 1]->id;
	return MSGID_NONE;
}

/* Hands over what the merge lets through. */
static void deliver(struct bus_local *b, struct local_room *r)
{
	struct merge_out out;

	while ((out = merge_next(&r->merge)).what != MERGE_NOTHING) {
		if (out.what == MERGE_MESSAGE) {
			log_append(b, r, out.msg);
			/* The store wants what nobody here follows as well. */
			if (r->followed || b->store)
				hub_on_message(b->hub, out.msg);
		}
		msg_unref(out.msg);
	}
}

/* The first id of this start is of a new epoch, above all that were given. */
static struct msgid next_id(const struct local_room *r)
{
	if (msgid_compare(r->last, r->epoch_before) == 0) {
		uint64_t now = (uint64_t)wall_ms();

		if (now <= r->last.epoch)
			now = r->last.epoch + 1;
		return (struct msgid){now, 1};
	}
	return msgid_next(r->last, r->last, (uint64_t)wall_ms());
}

/* The caller holds the lock. Takes the caller's reference. */
static void post_now(struct bus_local *b, struct local_room *r, struct msg *m,
		     uint64_t ticket)
{
	enum posted result = POSTED;
	struct msgid id;

	if (merge_has(&r->merge, m->mid)) {
		id = id_of_mid(r, m->mid);
	} else {
		/* Nobody else has the message yet. */
		m->id = id = next_id(r);
		m->prev = r->last;
		if (merge_live(&r->merge, m) == 0)
			r->last = id;
		else
			result = POSTED_REFUSED;
	}
	if (ticket)
		hub_on_posted(b->hub, ticket, result, slice_of(r->name), m->mid,
			      id);
	deliver(b, r);
	msg_unref(m);
}

static int post_early(struct local_room *r, struct msg *m, uint64_t ticket)
{
	struct posted_early *e = malloc(sizeof(*e));

	if (!e) {
		msg_unref(m);
		return -ENOMEM;
	}
	*e = (struct posted_early){.msg = m, .ticket = ticket};
	*r->early_end = e;
	r->early_end = &e->next;
	return 0;
}

static int local_post(struct bus *bus, struct msg *m, bool retry,
		      uint64_t ticket);

/* A message that may have been said before this start. */
struct retried {
	struct bus_local *bus;
	struct msg *msg;
	uint64_t ticket;
};

/* The store has looked for its mid. */
static void take_found(void *arg, uint64_t ticket, const struct page *page)
{
	struct retried *t = arg;
	int error = 0;

	(void)ticket;
	if (page->count > 0) {
		hub_on_posted(t->bus->hub, t->ticket, POSTED, t->msg->room,
			      t->msg->mid, page->items[0]->id);
		msg_unref(t->msg);
	} else {
		error = local_post(&t->bus->bus, t->msg, false, t->ticket);
	}
	if (error)
		hub_on_posted(t->bus->hub, t->ticket, POSTED_REFUSED, SLICE(""),
			      SLICE(""), MSGID_NONE);
	free(t);
}

static int look_first(struct bus_local *b, struct msg *m, uint64_t ticket)
{
	struct retried *t = malloc(sizeof(*t));

	if (t) {
		*t = (struct retried){b, m, ticket};
		if (b->store->find(b->store, m->room, m->mid,
				   (struct page_reader){take_found, t, 0}) == 0)
			return 0;
	}
	free(t);
	msg_unref(m);
	return -ENOMEM;
}

static int local_post(struct bus *bus, struct msg *m, bool retry,
		      uint64_t ticket)
{
	struct bus_local *b = local(bus);
	char name[ROOM_MAX_BYTES];
	struct local_room *r;
	int error = 0;
	bool ask;

	/* What was said since the start is known without the store. */
	if (retry && b->store)
		return look_first(b, m, ticket);
	snprintf(name, sizeof(name), "%.*s", SLICE_ARG(m->room));
	pthread_mutex_lock(&b->lock);
	r = room_get(b, m->room, &ask);
	if (!r) {
		msg_unref(m);
		error = -ENOMEM;
	} else if (r->loading) {
		error = post_early(r, m, ticket);
	} else {
		post_now(b, r, m, ticket);
	}
	pthread_mutex_unlock(&b->lock);
	if (ask)
		ask_store(b, slice_of(name));
	return error;
}

/* --------------------------------------------------------------- read */

static int local_read(struct bus *bus, const struct page_question *q,
		      struct page_reader reader)
{
	struct bus_local *b = local(bus);
	struct page_maker page;
	struct local_room *r;
	unsigned start = 0, end;
	bool goes_on = true;

	page_begin(&page, q);
	pthread_mutex_lock(&b->lock);
	r = room_find(b, q->room);
	end = r ? r->count : 0;
	if (q->before && !msgid_is_none(q->id))
		while (end > 0 && msgid_compare(r->log[r->first + end - 1]->id,
						q->id) >= 0)
			end--;
	if (!q->before)
		while (start < end &&
		       msgid_compare(r->log[r->first + start]->id, q->id) <= 0)
			start++;
	for (; start < end && goes_on; q->before ? end-- : start++)
		goes_on = page_put(
			&page, msg_ref(r->log[r->first +
					      (q->before ? end - 1 : start)]));
	pthread_mutex_unlock(&b->lock);
	page_end(&page, reader);
	return 0;
}

static void local_signal(struct bus *bus, const struct signal *s)
{
	struct bus_local *b = local(bus);
	struct local_room *r;

	pthread_mutex_lock(&b->lock);
	if (s->kind == SIGNAL_TOPIC && (r = room_find(b, s->room)))
		snprintf(r->topic, sizeof(r->topic), "%.*s",
			 SLICE_ARG(s->text));
	hub_on_signal(b->hub, s);
	pthread_mutex_unlock(&b->lock);
}

/* -------------------------------------------------------------- nicks */

static struct nick **nick_place(struct bus_local *b, const char *key)
{
	struct nick **at = &b->nicks[bucket(slice_of(key))];

	while (*at && strcmp((*at)->key, key) != 0)
		at = &(*at)->next;
	return at;
}

static void nick_free(struct bus_local *b, struct nick **at)
{
	struct nick *n = *at;

	*at = n->next;
	b->nick_count--;
	free(n);
}

/* One whose holder is not here. */
static void forget_nick(struct bus_local *b)
{
	for (unsigned i = 0; i < HASH_SIZE; i++)
		for (struct nick **at = &b->nicks[i]; *at; at = &(*at)->next)
			if ((*at)->here == 0) {
				nick_free(b, at);
				return;
			}
}

/* The caller holds the lock. Returns NULL without memory. */
static struct nick *nick_get(struct bus_local *b, const char *key)
{
	struct nick **at = nick_place(b, key), *n = *at;

	if (n)
		return n;
	if (b->nick_count >= NICKS_MAX) {
		forget_nick(b);
		at = nick_place(b, key);
	}
	n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	snprintf(n->key, sizeof(n->key), "%s", key);
	*at = n;
	b->nick_count++;
	return n;
}

static bool is_free(const struct nick *n, struct slice hash, int64_t now_ms)
{
	return n->here == 0
		       ? !n->hash[0] || now_ms - n->left_ms >= PRESENCE_QUIET_MS
		       : slice_equal(slice_of(n->hash), hash);
}

static int local_claim(struct bus *bus, struct slice nick, struct slice hash,
		       uint64_t ticket)
{
	struct bus_local *b = local(bus);
	char key[NAME_MAX_BYTES];
	struct nick *n;
	bool taken;

	name_key(nick, key);
	pthread_mutex_lock(&b->lock);
	n = nick_get(b, key);
	if (n) {
		taken = !is_free(n, hash, clock_us() / 1000) &&
			!slice_equal(slice_of(n->hash), hash);
		if (!taken) {
			snprintf(n->hash, sizeof(n->hash), "%.*s",
				 SLICE_ARG(hash));
			n->here++;
		}
		hub_on_claimed(b->hub, ticket, nick, hash, taken);
	}
	pthread_mutex_unlock(&b->lock);
	return n ? 0 : -ENOMEM;
}

static void local_release(struct bus *bus, struct slice nick, struct slice hash,
			  bool keep)
{
	struct bus_local *b = local(bus);
	char key[NAME_MAX_BYTES];
	struct nick **at;

	name_key(nick, key);
	pthread_mutex_lock(&b->lock);
	at = nick_place(b, key);
	if (*at && slice_equal(slice_of((*at)->hash), hash) &&
	    (*at)->here > 0) {
		(*at)->left_ms = clock_us() / 1000;
		if (--(*at)->here == 0 && !keep)
			nick_free(b, at);
	}
	pthread_mutex_unlock(&b->lock);
}

static bool local_holder(struct bus *bus, struct slice nick, char *hash,
			 char instance[INSTANCE_MAX], bool *here)
{
	struct bus_local *b = local(bus);
	char key[NAME_MAX_BYTES];
	struct nick *n;
	bool held;

	name_key(nick, key);
	pthread_mutex_lock(&b->lock);
	n = *nick_place(b, key);
	held = n && (n->here > 0 || clock_us() / 1000 - n->left_ms < INBOX_MS);
	if (held) {
		snprintf(hash, TOKEN_HASH_LEN + 1, "%s", n->hash);
		snprintf(instance, INSTANCE_MAX, "%s",
			 b->hub->options.instance);
		*here = n->here > 0;
	}
	pthread_mutex_unlock(&b->lock);
	return held;
}

/* -------------------------------------------------------------- others */

static enum bus_state local_state(struct bus *bus)
{
	(void)bus;
	return BUS_OFF;
}

static unsigned local_instances(struct bus *bus, struct bus_instance *out,
				unsigned max)
{
	(void)bus;
	(void)out;
	(void)max;
	return 0;
}

static unsigned local_shards(struct bus *bus, struct bus_shard *out,
			     unsigned max)
{
	(void)bus;
	(void)out;
	(void)max;
	return 0;
}

static unsigned local_rooms(struct bus *bus, struct bus_room *out, unsigned max)
{
	(void)bus;
	(void)out;
	(void)max;
	return 0;
}

static void local_stop(struct bus *bus)
{
	(void)bus; /* it does nothing but when it is called */
}

static void local_free(struct bus *bus)
{
	struct bus_local *b = local(bus);

	for (unsigned i = 0; i < HASH_SIZE; i++) {
		while (b->rooms[i])
			room_free(b, b->rooms[i]);
		while (b->nicks[i])
			nick_free(b, &b->nicks[i]);
	}
	pthread_mutex_destroy(&b->lock);
	free(b);
}

int bus_local_new(struct bus **out, struct hub *hub, struct store *store,
		  unsigned log)
{
	struct bus_local *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->bus = (struct bus){
		.follow = local_follow,
		.unfollow = local_unfollow,
		.post = local_post,
		.read = local_read,
		.signal = local_signal,
		.claim = local_claim,
		.release = local_release,
		.holder = local_holder,
		.state = local_state,
		.instances = local_instances,
		.shards = local_shards,
		.rooms = local_rooms,
		.stop = local_stop,
		.free = local_free,
	};
	b->hub = hub;
	b->store = store;
	b->log_max = log > ROOM_RING ? log : ROOM_RING;
	random_bytes(&b->hash_key, sizeof(b->hash_key));
	pthread_mutex_init(&b->lock, NULL);
	*out = &b->bus;
	return 0;
}
