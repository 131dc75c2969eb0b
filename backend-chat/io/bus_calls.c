/* SPDX-License-Identifier: MIT */
/*
 * The calls of bus.h over Redis, in the threads of those who call: they put a
 * task into the list of the bus' own thread, or read what it keeps for them
 * under the lock.
 */
#include "io/bus_redis.h"

#include <errno.h>
#include <stdlib.h>

static void do_follow(struct bus_redis *b, struct task *t)
{
	struct room_log *r = bus_room_get(b, t->name);

	if (r)
		bus_room_follow(b, r);
	task_free(t);
	b->tick_ms = 0;
}

static void do_unfollow(struct bus_redis *b, struct task *t)
{
	struct room_log *r = bus_room_find(b, t->name);

	if (r) {
		r->followed = false;
		r->keep_ms = b->now_ms + KEEP_MS;
	}
	task_free(t);
}

static void do_signal(struct bus_redis *b, struct task *t)
{
	bus_signal(b, &t->signal);
	task_free(t);
}

static int put_task(struct bus_redis *b, struct task *t)
{
	if (!t)
		return -ENOMEM;
	bus_enqueue(b, t);
	return 0;
}

static int redis_follow_room(struct bus *bus, struct slice room)
{
	struct bus_redis *b = bus_redis(bus);

	return put_task(b, task_new(b, do_follow, room, SLICE("")));
}

static void redis_unfollow_room(struct bus *bus, struct slice room)
{
	struct bus_redis *b = bus_redis(bus);

	/* Without memory it is followed on: no harm. */
	put_task(b, task_new(b, do_unfollow, room, SLICE("")));
}

static int redis_post(struct bus *bus, struct msg *m, bool retry,
		      uint64_t ticket)
{
	struct bus_redis *b = bus_redis(bus);
	struct task *t;

	if (atomic_load(&b->outbox_bytes) > OUTBOX_BYTES &&
	    b->bus.state(bus) == BUS_DOWN) {
		msg_unref(m);
		return -EAGAIN;
	}
	t = task_new(b, bus_post, SLICE(""), SLICE(""));
	if (!t) {
		msg_unref(m);
		return -ENOMEM;
	}
	atomic_fetch_add(&b->outbox_bytes, msg_bytes(m));
	t->msg = m;
	t->flag = retry;
	t->ticket = ticket;
	bus_enqueue(b, t);
	return 0;
}

static int redis_read(struct bus *bus, const struct page_question *q,
		      struct page_reader reader)
{
	struct bus_redis *b = bus_redis(bus);
	struct task *t = task_new(b, bus_read, q->room, SLICE(""));

	if (!t)
		return -ENOMEM;
	t->question = *q;
	t->question.room = t->name;
	t->reader = reader;
	bus_enqueue(b, t);
	return 0;
}

static struct slice copy(char **at, struct slice s)
{
	char *to = *at;

	if (s.len > 0)
		memcpy(to, s.at, s.len);
	*at += s.len;
	return (struct slice){to, s.len};
}

/*
 * The hub is told by the caller itself, who then finds in its lists what it has
 * said. It calls before stop(), so .hub does not change.
 */
static void redis_signal(struct bus *bus, const struct signal *s)
{
	struct bus_redis *b = bus_redis(bus);
	const size_t len = s->room.len + s->nick.len + s->text.len +
			   s->instance.len + s->hash.len;
	struct task *t = calloc(1, sizeof(*t) + len);
	char *at;

	if (s->kind != SIGNAL_TOPIC)
		hub_on_signal(b->hub, s);
	if (!t)
		return;
	at = t->text;
	t->run = do_signal;
	t->signal = *s;
	t->signal.room = copy(&at, s->room);
	t->signal.nick = copy(&at, s->nick);
	t->signal.text = copy(&at, s->text);
	t->signal.instance = copy(&at, s->instance);
	t->signal.hash = copy(&at, s->hash);
	bus_enqueue(b, t);
}

static int redis_claim(struct bus *bus, struct slice nick, struct slice hash,
		       uint64_t ticket)
{
	struct bus_redis *b = bus_redis(bus);
	struct task *t = task_new(b, bus_claim, nick, hash);

	if (t)
		t->ticket = ticket;
	return put_task(b, t);
}

static void redis_release(struct bus *bus, struct slice nick, struct slice hash,
			  bool keep)
{
	struct bus_redis *b = bus_redis(bus);
	struct task *t = task_new(b, bus_release, nick, hash);

	if (t)
		t->flag = keep;
	put_task(b, t);
}

static enum bus_state redis_state(struct bus *bus)
{
	struct bus_redis *b = bus_redis(bus);
	enum bus_state state;

	pthread_mutex_lock(&b->lock);
	state = b->state;
	pthread_mutex_unlock(&b->lock);
	return state;
}

static unsigned redis_instances(struct bus *bus, struct bus_instance *out,
				unsigned max)
{
	struct bus_redis *b = bus_redis(bus);
	unsigned count;

	pthread_mutex_lock(&b->lock);
	count = b->instance_count < max ? b->instance_count : max;
	memcpy(out, b->instances, count * sizeof(*out));
	pthread_mutex_unlock(&b->lock);
	return count;
}

static unsigned redis_shards(struct bus *bus, struct bus_shard *out,
			     unsigned max)
{
	struct bus_redis *b = bus_redis(bus);
	unsigned count;

	pthread_mutex_lock(&b->lock);
	count = b->shard_count < max ? b->shard_count : max;
	memcpy(out, b->shards, count * sizeof(*out));
	pthread_mutex_unlock(&b->lock);
	return count;
}

static unsigned redis_rooms(struct bus *bus, struct bus_room *out, unsigned max)
{
	struct bus_redis *b = bus_redis(bus);
	unsigned count;

	pthread_mutex_lock(&b->lock);
	count = b->directory_count < max ? b->directory_count : max;
	if (count > 0)
		memcpy(out, b->directory, count * sizeof(*out));
	pthread_mutex_unlock(&b->lock);
	return count;
}

void bus_calls_bind(struct bus *bus)
{
	bus->follow = redis_follow_room;
	bus->unfollow = redis_unfollow_room;
	bus->post = redis_post;
	bus->read = redis_read;
	bus->signal = redis_signal;
	bus->claim = redis_claim;
	bus->release = redis_release;
	bus->holder = bus_holder;
	bus->state = redis_state;
	bus->instances = redis_instances;
	bus->shards = redis_shards;
	bus->rooms = redis_rooms;
}
