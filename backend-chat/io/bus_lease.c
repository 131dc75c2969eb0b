/* SPDX-License-Identifier: MIT */
/*
 * Who lives: each instance has a lease in {chat}:inst, and the others watch
 * that it changes. Also when the files about people have something to do.
 */
#include "core/json.h"
#include "io/bus_redis.h"
#include "io/clock.h"

#include <stdio.h>

#define NICKS_MS     30000
#define DIRECTORY_MS 5000
#define REST_MAX     1024

static struct peer *find_peer(const struct bus_redis *b, struct slice id)
{
	for (unsigned i = 0; i < b->peer_count; i++)
		if (slice_equal(slice_of(b->peers[i].of.id), id))
			return (struct peer *)&b->peers[i];
	return NULL;
}

bool bus_peer_lives(const struct bus_redis *b, struct slice instance)
{
	return bus_is_ours(b, instance) || find_peer(b, instance);
}

static void read_peer(struct peer *p, const json_t *json)
{
	const json_t *clients = json_object_get(json, "clients");
	const json_t *rooms = json_object_get(json, "rooms");
	const json_t *uptime = json_object_get(json, "uptime_s");

	bus_copy(p->of.address, sizeof(p->of.address),
		 json_text(json, "address", NULL));
	bus_copy(p->of.version, sizeof(p->of.version),
		 json_text(json, "version", NULL));
	p->of.clients = (unsigned)json_integer_value(clients);
	p->of.rooms = (unsigned)json_integer_value(rooms);
	p->of.uptime_s = (uint64_t)json_integer_value(uptime);
}

/* A lease is alive as long as it changes, by our own clock. */
static void note_peer(struct bus_redis *b, struct slice id, struct slice value,
		      bool rested)
{
	char why[JSON_WHY_MAX];
	json_t *json = json_read(value, why);
	struct peer *p = find_peer(b, id);
	int64_t ms;

	if (!json || id.len >= INSTANCE_MAX)
		goto out;
	ms = json_integer_value(json_object_get(json, "ms"));
	if (!p && !rested && bus_time(b) - ms > LEASE_END_MS) {
		/* Of an instance that ended before we began. */
		char key[KEY_MAX];

		bus_drop_field(b, bus_chat_key(b, "inst", key), id, value);
		goto out;
	}
	if (!p && b->peer_count == PEERS_MAX)
		goto out;
	if (!p) {
		p = &b->peers[b->peer_count++];
		*p = (struct peer){.ms = -1};
		bus_copy(p->of.id, sizeof(p->of.id), id);
		b->nicks_ms = 0; /* its nicks may have seemed left */
	}
	p->awaited = false;
	if (p->ms != ms || rested)
		p->seen_ms = b->now_ms;
	p->ms = ms;
	p->found = true;
	read_peer(p, json);
out:
	json_decref(json);
}

static void end_peer(struct bus_redis *b, unsigned at)
{
	const struct peer dead = b->peers[at];
	const struct signal gone = {.kind = SIGNAL_GONE,
				    .instance = slice_of(dead.of.id)};
	char key[KEY_MAX];
	const struct slice hash = bus_chat_key(b, "inst", key);
	const struct slice argv[] = {SLICE("HDEL"), hash, gone.instance};

	b->peers[at] = b->peers[--b->peer_count];
	b->nicks_ms = 0; /* those that it held are left */
	if (dead.found)
		bus_tell(b, hash, 3, argv);
	bus_others_gone(b, gone.instance);
	if (b->hub)
		hub_on_signal(b->hub, &gone);
}

static void show_peers(struct bus_redis *b)
{
	unsigned count = 0;

	pthread_mutex_lock(&b->lock);
	for (unsigned i = 0; i < b->peer_count; i++) {
		if (bus_is_ours(b, slice_of(b->peers[i].of.id)))
			continue;
		b->instances[count] = b->peers[i].of;
		b->instances[count++].seen_ms = b->now_ms - b->peers[i].seen_ms;
	}
	b->instance_count = count;
	pthread_mutex_unlock(&b->lock);
}

/* It has taken its lease back; unless Redis has lost all of them. */
static bool has_said_goodbye(const struct peer *p, bool rested)
{
	return !p->found && !p->awaited && !rested;
}

static void take_peers(void *arg, const redisReply *reply)
{
	struct bus_redis *b = arg;
	/* Nobody could renew its lease while Redis was away. */
	const bool rested =
		b->has_peers && b->now_ms - b->peers_ms > 2 * LEASE_MS + 1000;

	if (!reply_is_list(reply, 0) || b->ending)
		return;
	b->peers_ms = b->now_ms;
	for (unsigned i = 0; i < b->peer_count; i++)
		b->peers[i].found = false;
	for (size_t i = 0; i + 1 < reply->elements; i += 2)
		note_peer(b, reply_text(reply->element[i]),
			  reply_text(reply->element[i + 1]), rested);
	for (unsigned i = b->peer_count; i-- > 0;)
		if (b->now_ms - b->peers[i].seen_ms > LEASE_END_MS ||
		    has_said_goodbye(&b->peers[i], rested))
			end_peer(b, i);
	b->has_peers = true;
	show_peers(b);
	bus_claims_run(b);
}

void bus_peers_read(struct bus_redis *b)
{
	char key[KEY_MAX];

	bus_ask_all(b, bus_chat_key(b, "inst", key), take_peers, b);
}

static void take_lease(void *arg, const redisReply *reply)
{
	struct bus_redis *b = arg;
	uint64_t ms;

	b->lease_asked = false;
	if (!reply_is_list(reply, 2) || b->ending)
		return;
	if (slice_u64(reply_text(reply->element[1]), INT64_MAX, &ms)) {
		b->redis_ms = (int64_t)ms;
		b->redis_at_ms = b->now_ms;
	}
	b->lease_held = reply->element[0]->integer == 0;
	if (b->lease_held) {
		b->lease_ms = b->now_ms + LEASE_MS / 4;
		if (b->hub)
			bus_trouble(b,
				    "redis: another instance is named %s; give "
				    "each one its own name",
				    b->options.instance);
		return;
	}
	/* It was there, and is gone: so may be all else that we had told. */
	if (b->has_lease && reply->element[0]->integer == 1) {
		for (unsigned i = 0; i < b->peer_count; i++)
			b->peers[i].awaited = true;
		bus_people_again(b);
	}
	b->has_lease = true;
	bus_peers_read(b);
}

static void send_count(struct bus_redis *b, const char *name,
		       struct slice value)
{
	char key[KEY_MAX];
	const int len = snprintf(key, sizeof(key), "%ssocket:clients:%s",
				 b->options.prefix, name);
	const struct slice hash = {key, (size_t)len};
	const struct slice argv[] = {SLICE("HSET"), hash,
				     slice_of(b->options.instance), value};

	bus_tell(b, hash, 4, argv);
}

/* What stands behind "run" and "ms" in the JSON of the lease. */
static void put_rest(struct bus_redis *b, struct writer *w, unsigned clients,
		     unsigned rooms)
{
	writer_init(w, REST_MAX);
	writer_printf(w, "\"address\":");
	writer_put_json(w, slice_of(b->options.address));
	writer_printf(w, ",\"version\":");
	writer_put_json(w, slice_of(b->options.version));
	writer_printf(w, ",\"clients\":%u,\"rooms\":%u,\"uptime_s\":%lld}",
		      clients, rooms,
		      (long long)((b->now_ms - b->began_ms) / 1000));
}

static void send_counts(struct bus_redis *b, unsigned clients)
{
	char number[24];

	snprintf(number, sizeof(number), "%u", clients);
	send_count(b, "counts", slice_of(number));
	snprintf(number, sizeof(number), "%lld", (long long)wall_ms());
	send_count(b, "lastUpdate", slice_of(number));
}

static void send_lease(struct bus_redis *b)
{
	char key[KEY_MAX], held[12];
	unsigned clients = 0, rooms = 0;
	struct writer w;
	struct slice argv[4];
	const struct redis_command c = {.key = bus_chat_key(b, "inst", key),
					.argc = 4,
					.argv = argv,
					.done = take_lease,
					.arg = b,
					.patience_ms = ASK_PATIENCE_MS};

	if (b->hub)
		hub_on_lease(b->hub, &clients, &rooms);
	put_rest(b, &w, clients, rooms);
	snprintf(held, sizeof(held), "%d", LEASE_HELD_MS);
	argv[0] = slice_of(b->options.instance);
	argv[1] = slice_of(b->run);
	argv[2] = writer_slice(&w);
	argv[3] = slice_of(held);
	b->lease_asked = !w.failed && bus_script(b, SCRIPT_LEASE, &c) == 0;
	writer_free(&w);
	if (b->has_lease)
		send_counts(b, clients);
}

void bus_people_again(struct bus_redis *b)
{
	for (unsigned i = 0; i < HASH_SIZE; i++)
		for (struct room_log *r = b->rooms[i]; r; r = r->next)
			bus_who_again(b, r);
	bus_claims_again(b);
	b->nicks_ms = b->directory_ms = b->tick_ms = 0;
}

void bus_people_attend(struct bus_redis *b)
{
	if (!bus_chat_is_reachable(b)) {
		bus_claims_run(b); /* by what is known */
		return;
	}
	if (b->now_ms >= b->lease_ms && !b->lease_asked) {
		b->lease_ms = b->now_ms + LEASE_MS;
		send_lease(b);
	}
	if (!b->has_peers)
		return;
	if (b->now_ms >= b->nicks_ms && !b->nicks_under_way) {
		b->nicks_ms = b->now_ms + NICKS_MS;
		bus_nicks_read(b);
	}
	if (b->now_ms >= b->directory_ms) {
		b->directory_ms = b->now_ms + DIRECTORY_MS;
		bus_directory_read(b);
	}
}

static void leave_hash(struct bus_redis *b, struct slice key,
		       struct slice field)
{
	const struct slice argv[] = {SLICE("HDEL"), key, field};

	bus_tell(b, key, 3, argv);
}

void bus_people_leave(struct bus_redis *b)
{
	const struct slice id = slice_of(b->options.instance);
	char key[KEY_MAX];

	if (!b->has_lease)
		return;
	leave_hash(b, bus_chat_key(b, "inst", key), id);
	for (unsigned i = 0; i < 2; i++) {
		const int len = snprintf(
			key, sizeof(key), "%ssocket:clients:%s",
			b->options.prefix, i ? "lastUpdate" : "counts");

		leave_hash(b, (struct slice){key, (size_t)len}, id);
	}
	for (unsigned i = 0; i < HASH_SIZE; i++)
		for (struct room_log *r = b->rooms[i]; r; r = r->next)
			if (r->people)
				bus_who_leave(b, r);
}
