/* SPDX-License-Identifier: MIT */
/* The thread of the bus over Redis, its start and its end. See bus_redis.h. */
#include "io/bus_redis.h"
#include "io/clock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* What is due in rooms is looked for so often, if there is anything. */
#define TICK_MS	   50
#define IDLE_MS	   1000
#define TROUBLE_MS 60000
#define GOODBYE_MS 500
#define HELD_MS	   (LEASE_HELD_MS + 1500)
#define WHY_MAX	   480

/* ------------------------------------------------------------- helpers */

struct slice bus_key(const struct bus_redis *b, struct slice room,
		     const char *suffix, char out[KEY_MAX])
{
	const int len = snprintf(out, KEY_MAX, "{%s%.*s}:%s", b->options.prefix,
				 SLICE_ARG(room), suffix);

	return (struct slice){out, (size_t)len};
}

int bus_send(struct bus_redis *b, const struct redis_command *command)
{
	return b->ending ? -ECANCELED : redis_send(b->redis, command);
}

int bus_script(struct bus_redis *b, enum script script,
	       const struct redis_command *command)
{
	struct slice argv[POST_BATCH + 16];
	struct redis_command c = *command;

	argv[0] = SLICE("EVALSHA");
	argv[1] = slice_of(b->scripts[script].sha);
	argv[2] = SLICE("1");
	argv[3] = c.key;
	for (unsigned i = 0; i < c.argc; i++)
		argv[4 + i] = c.argv[i];
	c.argc += 4;
	c.argv = argv;
	return bus_send(b, &c);
}

void bus_tell(struct bus_redis *b, struct slice key, unsigned argc,
	      const struct slice *argv)
{
	const struct redis_command c = {.key = key,
					.argc = argc,
					.argv = argv,
					.patience_ms = ASK_PATIENCE_MS};

	bus_send(b, &c);
}

struct slice reply_text(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_STRING ||
			       reply->type == REDIS_REPLY_STATUS ||
			       reply->type == REDIS_REPLY_ERROR
		       ? (struct slice){reply->str, reply->len}
		       : SLICE("");
}

bool reply_is_list(const redisReply *reply, size_t at_least)
{
	return reply && reply->type == REDIS_REPLY_ARRAY &&
	       reply->elements >= at_least;
}

void bus_trouble(struct bus_redis *b, const char *format, ...)
{
	char text[400];
	va_list args;

	if (b->now_ms < b->trouble_ms)
		return;
	b->trouble_ms = b->now_ms + TROUBLE_MS;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	report_line(b->report, "%s", text);
}

static void on_trouble(void *arg, const char *what)
{
	bus_trouble(arg, "%s", what);
}

/* --------------------------------------------------------------- tasks */

struct task *task_new(struct bus_redis *b,
		      void (*run)(struct bus_redis *b, struct task *t),
		      struct slice name, struct slice hash)
{
	struct task *t = calloc(1, sizeof(*t) + name.len + hash.len);

	(void)b;
	if (!t)
		return NULL;
	t->run = run;
	if (name.len > 0)
		memcpy(t->text, name.at, name.len);
	if (hash.len > 0)
		memcpy(t->text + name.len, hash.at, hash.len);
	t->name = (struct slice){t->text, name.len};
	t->hash = (struct slice){t->text + name.len, hash.len};
	return t;
}

void task_free(struct task *t)
{
	for (unsigned i = 0; i < t->count; i++)
		msg_unref(t->items[i]);
	free(t->items);
	msg_unref(t->msg);
	free(t);
}

void bus_enqueue(struct bus_redis *b, struct task *t)
{
	static const uint64_t one = 1;
	bool was_empty;

	pthread_mutex_lock(&b->lock);
	was_empty = !b->tasks;
	*b->tasks_end = t;
	b->tasks_end = &t->next;
	pthread_mutex_unlock(&b->lock);
	if (was_empty && write(b->wake_fd, &one, sizeof(one)) < 0)
		return; /* it is awake: the counter is full */
}

static bool run_tasks(struct bus_redis *b)
{
	struct task *list;
	bool stopping;

	pthread_mutex_lock(&b->lock);
	list = b->tasks;
	b->tasks = NULL;
	b->tasks_end = &b->tasks;
	stopping = b->stopping;
	pthread_mutex_unlock(&b->lock);
	while (list) {
		struct task *t = list;

		list = t->next;
		t->next = NULL;
		t->run(b, t);
	}
	return !stopping;
}

void bus_soon(struct bus_redis *b, int64_t ms)
{
	if (b->tick_ms > b->now_ms + ms)
		b->tick_ms = b->now_ms + ms;
}

/* --------------------------------------------------------------- state */

/* Which node has which slots, for GET /api/instances. */
static void note_shards(struct bus_redis *b)
{
	const struct slotmap *map = redis_map(b->redis);
	unsigned count = 0, rooms_of[SLOT_NODES] = {0};

	for (unsigned i = 0; map && i < HASH_SIZE; i++)
		for (struct room_log *r = b->rooms[i]; r; r = r->next) {
			char key[KEY_MAX];
			int node = slotmap_find(
				map, bus_key(b, slice_of(r->name), "log", key));

			if (node >= 0)
				rooms_of[node]++;
		}
	pthread_mutex_lock(&b->lock);
	for (unsigned slot = 0; map && slot < SLOTS && count < SHARDS_MAX;) {
		const uint8_t node = map->node_of[slot];
		struct bus_shard *s = &b->shards[count];

		s->first_slot = slot;
		while (slot < SLOTS && map->node_of[slot] == node)
			slot++;
		if (node == SLOT_UNKNOWN)
			continue;
		s->last_slot = slot - 1;
		s->rooms = rooms_of[node];
		snprintf(s->node, sizeof(s->node), "%s:%u",
			 map->nodes[node].host, map->nodes[node].port);
		count++;
	}
	b->shard_count = count;
	pthread_mutex_unlock(&b->lock);
}

static void on_map(void *arg)
{
	struct bus_redis *b = arg;

	b->tick_ms = 0; /* rooms may have to follow elsewhere */
	note_shards(b);
}

static void report_state(struct bus_redis *b, enum bus_state state)
{
	char why[WHY_MAX];

	redis_why(b->redis, why, sizeof(why));
	if (state == BUS_UP)
		report_line(b->report, "redis: up");
	else
		report_line(b->report,
			    "redis: down: messages wait in memory%s%s",
			    why[0] ? ": " : "", why);
}

static void update_state(struct bus_redis *b)
{
	const enum bus_state state =
		redis_is_up(b->redis) && b->degraded == 0 ? BUS_UP : BUS_DOWN;
	bool changed;

	pthread_mutex_lock(&b->lock);
	changed = b->state != state;
	b->state = state;
	pthread_mutex_unlock(&b->lock);
	if (!changed)
		return;
	report_state(b, state);
	hub_on_state(b->hub, state);
	b->lease_ms = b->tick_ms = 0;
	if (state == BUS_UP)
		bus_people_again(b);
}

/* -------------------------------------------------------------- thread */

static bool is_forgotten(const struct bus_redis *b, const struct room_log *r)
{
	return !r->followed && !r->posts && r->asked == 0 && !r->people &&
	       b->now_ms >= r->keep_ms;
}

static bool attend_rooms(struct bus_redis *b)
{
	bool busy = false;

	for (unsigned i = 0; i < HASH_SIZE; i++) {
		struct room_log *next;

		for (struct room_log *r = b->rooms[i]; r; r = next) {
			next = r->next;
			if (is_forgotten(b, r)) {
				bus_room_free(b, r);
				continue;
			}
			bus_room_attend(b, r);
			busy |= r->posts || !r->opened ||
				r->merge.state != MERGE_LIVE ||
				r->channel.state != FOLLOW_ON;
		}
	}
	return busy;
}

static void attend(struct bus_redis *b)
{
	if (b->now_ms < b->tick_ms)
		return;
	bus_channel_attend(b, &b->channel, SLICE("chat"), true);
	bus_people_attend(b);
	bus_archive_attend(b);
	b->tick_ms = b->now_ms + (attend_rooms(b) ? TICK_MS : IDLE_MS);
	if (b->channel.state != FOLLOW_ON)
		b->tick_ms = b->now_ms + TICK_MS;
}

static int64_t earliest(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void wait_and_read(struct bus_redis *b, int64_t until_ms)
{
	struct pollfd fds[1 + REDIS_FDS_MAX] = {
		{.fd = b->wake_fd, .events = POLLIN}};
	const unsigned count = 1 + redis_poll(b->redis, fds + 1);
	int64_t wait_ms = until_ms - clock_us() / 1000;
	uint64_t woken;

	if (wait_ms < 0)
		wait_ms = 0;
	if (poll(fds, count, (int)earliest(wait_ms, 60000)) < 0)
		fds[0].revents = 0;
	if (fds[0].revents && read(b->wake_fd, &woken, sizeof(woken)) < 0)
		fds[0].revents = 0;
	b->now_ms = clock_us() / 1000;
	redis_turn(b->redis, fds + 1, count - 1, b->now_ms);
}

/* Writes what is left to be written, and hears that it was. */
static void say_goodbye(struct bus_redis *b)
{
	const int64_t end_ms = b->now_ms + GOODBYE_MS;

	bus_people_leave(b);
	while (b->now_ms < end_ms && redis_is_busy(b->redis))
		wait_and_read(b, earliest(end_ms, b->now_ms + TICK_MS));
}

static void *run(void *arg)
{
	struct bus_redis *b = arg;

	b->now_ms = clock_us() / 1000;
	/* It was waited for, see take_lease(). */
	if (!redis_is_up(b->redis))
		report_state(b, BUS_DOWN);
	while (run_tasks(b)) {
		attend(b);
		update_state(b);
		wait_and_read(b,
			      earliest(b->tick_ms, redis_deadline(b->redis)));
	}
	b->hub = NULL;
	say_goodbye(b);
	b->ending = true;
	return NULL;
}

/* ---------------------------------------------------------- life and end */

static void free_rooms(struct bus_redis *b)
{
	for (unsigned i = 0; i < HASH_SIZE; i++)
		while (b->rooms[i])
			bus_room_free(b, b->rooms[i]);
}

static void free_tasks(struct task *t)
{
	while (t) {
		struct task *next = t->next;

		task_free(t);
		t = next;
	}
}

static void bus_destroy(struct bus_redis *b)
{
	b->ending = true;
	redis_free(b->redis);
	free_rooms(b);
	free_tasks(b->tasks);
	free_tasks(b->claims);
	bus_archive_free(b);
	bus_nicks_free(b);
	free(b->directory);
	if (b->wake_fd >= 0)
		close(b->wake_fd);
	pthread_mutex_destroy(&b->lock);
	free((void *)b->redis_options.seeds);
	free((void *)b->redis_options.password);
	free((void *)b->options.prefix);
	free((void *)b->options.instance);
	free((void *)b->options.address);
	free((void *)b->options.version);
	free(b);
}

static void redis_stop(struct bus *bus)
{
	static const uint64_t one = 1;
	struct bus_redis *b = bus_redis(bus);

	pthread_mutex_lock(&b->lock);
	b->stopping = true;
	pthread_mutex_unlock(&b->lock);
	if (write(b->wake_fd, &one, sizeof(one)) < 0)
		return; /* cannot be: the counter is never full */
	pthread_join(b->thread, NULL);
}

static void redis_free_bus(struct bus *bus)
{
	bus_destroy(bus_redis(bus));
}

static bool copy_options(struct bus_redis *b, const struct bus_options *o)
{
	const size_t size = o->node_count * sizeof(struct slot_node);
	struct slot_node *seeds = malloc(size);

	b->options = *o;
	b->options.nodes = NULL;
	b->options.password = NULL;
	b->options.prefix = strdup(o->prefix ? o->prefix : "");
	b->options.instance = strdup(o->instance);
	b->options.address = strdup(o->address ? o->address : "");
	b->options.version = strdup(o->version ? o->version : "");
	b->redis_options = (struct redis_options){
		.cluster = o->cluster,
		.seeds = seeds,
		.seed_count = o->node_count,
		.password = o->password ? strdup(o->password) : NULL,
		.scripts = b->scripts,
		.script_count = SCRIPTS,
	};
	if (seeds)
		memcpy(seeds, o->nodes, size);
	return seeds && b->options.prefix && b->options.instance &&
	       b->options.address && b->options.version &&
	       (!o->password || b->redis_options.password);
}

static void name_run(struct bus_redis *b)
{
	uint8_t random[16];

	random_bytes(random, sizeof(random));
	token_make(random, b->run);
}

static int create(struct bus_redis *b, const struct bus_options *options)
{
	b->scripts[SCRIPT_POST].text = script_post;
	b->scripts[SCRIPT_LEASE].text = script_lease;
	b->scripts[SCRIPT_CLAIM].text = script_claim;
	b->scripts[SCRIPT_LEAVE].text = script_leave;
	b->scripts[SCRIPT_DROP].text = script_drop;
	b->events = (struct redis_events){
		.on_subscriber = bus_on_subscriber,
		.on_subscriber_lost = bus_on_subscriber_lost,
		.on_push = bus_on_push,
		.on_map = on_map,
		.on_trouble = on_trouble,
		.arg = b,
	};
	b->tasks_end = &b->tasks;
	b->state = BUS_DOWN;
	random_bytes(&b->hash_key, sizeof(b->hash_key));
	name_run(b);
	pthread_mutex_init(&b->lock, NULL);
	b->now_ms = b->began_ms = clock_us() / 1000;
	b->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (b->wake_fd < 0)
		return -errno;
	if (!copy_options(b, options))
		return -ENOMEM;
	return redis_new(&b->redis, &b->redis_options, &b->events);
}

/*
 * Before the thread starts: the lease of this name. Gives up waiting when Redis
 * is not there, or when the name is still held by one that is alive.
 */
static int take_lease(struct bus_redis *b, char *why, size_t why_len)
{
	const int64_t begin_ms = b->now_ms;

	while (!b->has_lease && b->now_ms < begin_ms + HELD_MS) {
		bus_people_attend(b);
		wait_and_read(b, earliest(b->now_ms + TICK_MS,
					  redis_deadline(b->redis)));
		if (b->now_ms > begin_ms + OPEN_PATIENCE_MS && !b->lease_held)
			return 0;
	}
	if (b->has_lease)
		return 0;
	snprintf(why, why_len,
		 "instance = %s: another instance of that name is alive; give "
		 "each one its own",
		 b->options.instance);
	return -EEXIST;
}

int bus_redis_new(struct bus **out, const struct bus_options *options,
		  struct hub *hub, struct store *store, struct report *report,
		  char *why, size_t why_len)
{
	struct bus_redis *b = calloc(1, sizeof(*b));
	int ret;

	snprintf(why, why_len, "redis: out of memory");
	if (!b)
		return -ENOMEM;
	b->bus = (struct bus){.stop = redis_stop, .free = redis_free_bus};
	bus_calls_bind(&b->bus);
	b->store = store;
	b->report = report;
	ret = create(b, options);
	if (!ret)
		ret = take_lease(b, why, why_len);
	if (!ret) {
		b->hub = hub;
		ret = -pthread_create(&b->thread, NULL, run, b);
		if (ret)
			snprintf(why, why_len, "redis: cannot start a thread");
	}
	if (ret)
		bus_destroy(b);
	else
		*out = &b->bus;
	return ret;
}
