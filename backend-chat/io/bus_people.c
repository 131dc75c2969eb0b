/* SPDX-License-Identifier: MIT */
/*
 * Who lives and who is where: leases of instances, nicks, the people of rooms,
 * the directory of rooms. All of it is in hashes of Redis, and told to others
 * by signals as it changes. Signals may be lost, so the hashes are read again
 * now and then, and what differs is made good.
 */
#include "core/json.h"
#include "io/bus_redis.h"
#include "io/clock.h"

#include <stdio.h>
#include <stdlib.h>

#define NICKS_MS     30000
#define DIRECTORY_MS 5000
#define WHO_MS	     60000
#define NEWS_MS	     5000 /* news is not made undone by an older list */
#define INBOX_MS     (INT64_C(24) * 3600 * 1000)
#define REST_MAX     1024

static bool chat_is_reachable(struct bus_redis *b)
{
	return bus_is_reachable(b, SLICE("chat"));
}

static struct slice chat_key(struct bus_redis *b, const char *suffix,
			     char out[KEY_MAX])
{
	return bus_key(b, SLICE("chat"), suffix, out);
}

int64_t bus_time(const struct bus_redis *b)
{
	return b->redis_ms ? b->redis_ms + (b->now_ms - b->redis_at_ms)
			   : wall_ms();
}

static int ask_all(struct bus_redis *b, struct slice key, redis_done *done,
		   void *arg)
{
	const struct slice argv[] = {SLICE("HGETALL"), key};
	const struct redis_command c = {.key = key,
					.argc = 2,
					.argv = argv,
					.done = done,
					.arg = arg,
					.patience_ms = ASK_PATIENCE_MS};

	return bus_send(b, &c);
}

/* Drops a field if nobody changed it meanwhile. */
static void drop_field(struct bus_redis *b, struct slice key,
		       struct slice field, struct slice value)
{
	const struct slice argv[] = {field, value};
	const struct redis_command c = {.key = key,
					.argc = 2,
					.argv = argv,
					.patience_ms = ASK_PATIENCE_MS};

	bus_script(b, SCRIPT_DROP, &c);
}

static void copy_text(char *out, size_t size, struct slice text)
{
	snprintf(out, size, "%.*s", SLICE_ARG(text));
}

/* --------------------------------------------------------------- leases */

static struct peer *find_peer(const struct bus_redis *b, struct slice id)
{
	for (unsigned i = 0; i < b->peer_count; i++)
		if (slice_equal(slice_of(b->peers[i].of.id), id))
			return (struct peer *)&b->peers[i];
	return NULL;
}

static bool is_ours(const struct bus_redis *b, struct slice instance)
{
	return slice_equal(instance, slice_of(b->options.instance));
}

bool bus_peer_lives(const struct bus_redis *b, struct slice instance)
{
	return is_ours(b, instance) || find_peer(b, instance);
}

static void read_peer(struct peer *p, const json_t *json)
{
	const json_t *clients = json_object_get(json, "clients");
	const json_t *rooms = json_object_get(json, "rooms");
	const json_t *uptime = json_object_get(json, "uptime_s");

	copy_text(p->of.address, sizeof(p->of.address),
		  json_text(json, "address", NULL));
	copy_text(p->of.version, sizeof(p->of.version),
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

		drop_field(b, chat_key(b, "inst", key), id, value);
		goto out;
	}
	if (!p && b->peer_count == PEERS_MAX)
		goto out;
	if (!p) {
		p = &b->peers[b->peer_count++];
		*p = (struct peer){.ms = -1};
		copy_text(p->of.id, sizeof(p->of.id), id);
	}
	if (p->ms != ms || rested)
		p->seen_ms = b->now_ms;
	p->ms = ms;
	p->found = true;
	read_peer(p, json);
out:
	json_decref(json);
}

static void forget_people_of(struct bus_redis *b, struct slice instance)
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

static void end_peer(struct bus_redis *b, unsigned at)
{
	const struct peer dead = b->peers[at];
	const struct signal gone = {.kind = SIGNAL_GONE,
				    .instance = slice_of(dead.of.id)};
	char key[KEY_MAX];
	const struct slice hash = chat_key(b, "inst", key);
	const struct slice argv[] = {SLICE("HDEL"), hash, gone.instance};

	b->peers[at] = b->peers[--b->peer_count];
	if (dead.found)
		bus_tell(b, hash, 3, argv);
	forget_people_of(b, gone.instance);
	if (b->hub)
		hub_on_signal(b->hub, &gone);
}

static void show_peers(struct bus_redis *b)
{
	unsigned count = 0;

	pthread_mutex_lock(&b->lock);
	for (unsigned i = 0; i < b->peer_count; i++) {
		if (is_ours(b, slice_of(b->peers[i].of.id)))
			continue;
		b->instances[count] = b->peers[i].of;
		b->instances[count++].seen_ms = b->now_ms - b->peers[i].seen_ms;
	}
	b->instance_count = count;
	pthread_mutex_unlock(&b->lock);
}

static void run_claims(struct bus_redis *b)
{
	struct task *list = b->claims;

	b->claims = NULL;
	while (list) {
		struct task *t = list;

		list = t->next;
		t->next = NULL;
		bus_claim(b, t);
	}
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
		    (!b->peers[i].found && !rested))
			end_peer(b, i);
	b->has_peers = true;
	show_peers(b);
	run_claims(b);
}

static void take_lease(void *arg, const redisReply *reply)
{
	struct bus_redis *b = arg;
	unsigned long ms;
	char key[KEY_MAX];

	b->lease_asked = false;
	if (!reply_is_list(reply, 2) || b->ending)
		return;
	if (slice_number(reply_text(reply->element[1]), ~0UL, &ms)) {
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
	if (b->has_lease && reply->element[0]->integer == 1)
		bus_people_again(b);
	b->has_lease = true;
	ask_all(b, chat_key(b, "inst", key), take_peers, b);
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

static void send_lease(struct bus_redis *b)
{
	const int64_t uptime_ms = b->now_ms - b->began_ms;
	char key[KEY_MAX], rest[REST_MAX], held[12], number[24];
	unsigned clients = 0, rooms = 0;
	const struct slice argv[] = {slice_of(b->options.instance),
				     slice_of(b->run),
				     {rest, 0},
				     slice_of(held)};
	struct redis_command c = {.key = chat_key(b, "inst", key),
				  .argc = 4,
				  .done = take_lease,
				  .arg = b,
				  .patience_ms = ASK_PATIENCE_MS};
	struct slice words[4];
	struct writer w;

	if (b->hub)
		hub_on_lease(b->hub, &clients, &rooms);
	writer_init(&w, REST_MAX);
	writer_printf(&w, "\"address\":");
	writer_put_json(&w, slice_of(b->options.address));
	writer_printf(&w, ",\"version\":");
	writer_put_json(&w, slice_of(b->options.version));
	writer_printf(&w, ",\"clients\":%u,\"rooms\":%u,\"uptime_s\":%lld}",
		      clients, rooms, (long long)(uptime_ms / 1000));
	memcpy(words, argv, sizeof(words));
	words[2] = writer_slice(&w);
	snprintf(held, sizeof(held), "%d", LEASE_HELD_MS);
	words[3] = slice_of(held);
	c.argv = words;
	b->lease_asked = !w.failed && bus_script(b, SCRIPT_LEASE, &c) == 0;
	writer_free(&w);
	if (!b->has_lease)
		return;
	snprintf(number, sizeof(number), "%u", clients);
	send_count(b, "counts", slice_of(number));
	snprintf(number, sizeof(number), "%lld", (long long)wall_ms());
	send_count(b, "lastUpdate", slice_of(number));
}

/* ---------------------------------------------------------------- nicks */

static unsigned bucket(const char *key)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (; *key; key++)
		hash = (hash ^ (unsigned char)*key) * 16777619u;
	return hash % HASH_SIZE;
}

static struct known_nick **nick_place(struct bus_redis *b, const char *key)
{
	struct known_nick **at = &b->nicks[bucket(key)];

	while (*at && strcmp((*at)->key, key) != 0)
		at = &(*at)->next;
	return at;
}

/* The caller holds the lock. NULL: no memory, or too many. */
static struct known_nick *nick_get(struct bus_redis *b, const char *key)
{
	struct known_nick **at = nick_place(b, key);

	if (*at || b->nick_count == NICKS_MAX)
		return *at;
	*at = calloc(1, sizeof(**at));
	if (!*at)
		return NULL;
	b->nick_count++;
	snprintf((*at)->key, sizeof((*at)->key), "%s", key);
	return *at;
}

/* The caller holds the lock. */
static void nick_drop(struct bus_redis *b, struct known_nick **at)
{
	struct known_nick *n = *at;

	*at = n->next;
	b->nick_count--;
	free(n);
}

void bus_nick_known(struct bus_redis *b, struct slice nick, struct slice hash,
		    struct slice instance, int64_t left_ms)
{
	char key[NAME_MAX_BYTES];
	struct known_nick *n;

	if (nick.len >= sizeof(key))
		return;
	name_key(nick, key);
	pthread_mutex_lock(&b->lock);
	n = nick_get(b, key);
	if (n) {
		if (!slice_equal(slice_of(n->hash), hash) ||
		    !is_ours(b, instance))
			n->claims = 0;
		copy_text(n->hash, sizeof(n->hash), hash);
		copy_text(n->instance, sizeof(n->instance), instance);
		n->left_ms = left_ms;
		n->found = true;
	}
	pthread_mutex_unlock(&b->lock);
}

void bus_nick_gone(struct bus_redis *b, struct slice nick)
{
	char key[NAME_MAX_BYTES];
	struct known_nick **at;

	if (nick.len >= sizeof(key))
		return;
	name_key(nick, key);
	pthread_mutex_lock(&b->lock);
	at = nick_place(b, key);
	if (*at)
		nick_drop(b, at);
	pthread_mutex_unlock(&b->lock);
}

void bus_nicks_free(struct bus_redis *b)
{
	for (unsigned i = 0; i < HASH_SIZE; i++)
		while (b->nicks[i])
			nick_drop(b, &b->nicks[i]);
}

bool bus_holder(struct bus *bus, struct slice nick, char *hash,
		char instance[INSTANCE_MAX], bool *here)
{
	struct bus_redis *b = bus_redis(bus);
	char key[NAME_MAX_BYTES];
	struct known_nick *n;
	bool held;

	if (nick.len >= sizeof(key))
		return false;
	name_key(nick, key);
	pthread_mutex_lock(&b->lock);
	n = *nick_place(b, key);
	held = n && n->hash[0] &&
	       (n->left_ms == 0 || wall_ms() - n->left_ms < INBOX_MS);
	if (held) {
		snprintf(hash, TOKEN_HASH_LEN + 1, "%s", n->hash);
		snprintf(instance, INSTANCE_MAX, "%s", n->instance);
		*here = n->left_ms == 0;
	}
	pthread_mutex_unlock(&b->lock);
	return held;
}

/* "HASH INSTANCE LEFT" */
static bool read_holder(struct slice value, struct slice *hash,
			struct slice *instance, int64_t *left_ms)
{
	const char *first = value.len ? memchr(value.at, ' ', value.len) : NULL;
	const char *last = first ? memrchr(value.at, ' ', value.len) : NULL;
	unsigned long left;

	if (!first || first == last ||
	    !slice_number(slice_from(value, (size_t)(last + 1 - value.at)),
			  ~0UL, &left))
		return false;
	*hash = (struct slice){value.at, (size_t)(first - value.at)};
	*instance = (struct slice){first + 1, (size_t)(last - first - 1)};
	*left_ms = (int64_t)left;
	return true;
}

/* One connection more or less of this instance. Returns how many there were. */
static unsigned count_claim(struct bus_redis *b, struct slice nick,
			    struct slice hash, int change)
{
	char key[NAME_MAX_BYTES];
	struct known_nick *n;
	unsigned before = 0;

	name_key(nick, key);
	pthread_mutex_lock(&b->lock);
	n = change > 0 ? nick_get(b, key) : *nick_place(b, key);
	if (n && slice_equal(slice_of(n->hash), hash)) {
		before = n->claims;
		if (change > 0 || n->claims > 0)
			n->claims += (unsigned)change;
	}
	pthread_mutex_unlock(&b->lock);
	return before;
}

static void claimed(struct bus_redis *b, struct task *t, bool taken)
{
	if (!taken) {
		bus_nick_known(b, t->name, t->hash,
			       slice_of(b->options.instance), 0);
		if (!t->flag)
			count_claim(b, t->name, t->hash, 1);
	}
	if (b->hub && !t->flag)
		hub_on_claimed(b->hub, t->ticket, t->name, t->hash, taken);
}

/* Redis is away: what is known must do. */
static void claim_by_memory(struct bus_redis *b, struct task *t)
{
	char hash[TOKEN_HASH_LEN + 1], instance[INSTANCE_MAX];
	bool here = false;
	const bool held = bus_holder(&b->bus, t->name, hash, instance, &here) &&
			  here && !slice_equal(slice_of(hash), t->hash);

	claimed(b, t, held);
}

struct claiming {
	struct bus_redis *bus;
	struct task *task;
};

/* Its holder's instance may be dead, or so new that we do not know it yet. */
static void claim_when_sure(struct bus_redis *b, struct task *t)
{
	char key[KEY_MAX];

	t->sure = true;
	t->next = b->claims;
	b->claims = t;
	ask_all(b, chat_key(b, "inst", key), take_peers, b);
}

static void take_claim(void *arg, const redisReply *reply)
{
	struct claiming *claiming = arg;
	struct bus_redis *b = claiming->bus;
	struct task *t = claiming->task;
	struct slice hash, instance;
	int64_t left_ms;
	bool taken;

	free(claiming);
	if (b->ending) {
		task_free(t);
		return;
	}
	if (!reply_is_list(reply, 2)) {
		claim_by_memory(b, t);
		task_free(t);
		return;
	}
	if (reply->element[0]->integer == 2) {
		claim_when_sure(b, t);
		return;
	}
	taken = reply->element[0]->integer != 0;
	if (taken && read_holder(reply_text(reply->element[1]), &hash,
				 &instance, &left_ms))
		bus_nick_known(b, t->name, hash, instance, left_ms);
	claimed(b, t, taken);
	if (!taken)
		bus_notice(b, "claim", SLICE(""), t->name, t->hash);
	task_free(t);
}

static int send_claim(struct bus_redis *b, struct task *t)
{
	struct claiming *claiming = calloc(1, sizeof(*claiming));
	struct slice argv[5 + PEERS_MAX];
	char key[KEY_MAX], nick[NAME_MAX_BYTES], quiet[12];
	struct redis_command c = {.key = chat_key(b, "nicks", key),
				  .argc = 5,
				  .argv = argv,
				  .done = take_claim,
				  .arg = claiming,
				  .patience_ms = ASK_PATIENCE_MS};
	int ret;

	if (!claiming)
		return -1;
	*claiming = (struct claiming){b, t};
	name_key(t->name, nick);
	snprintf(quiet, sizeof(quiet), "%d", PRESENCE_QUIET_MS);
	argv[0] = slice_of(nick);
	argv[1] = t->hash;
	argv[2] = slice_of(b->options.instance);
	argv[3] = slice_of(quiet);
	argv[4] = t->sure ? SLICE("1") : SLICE("0");
	for (unsigned i = 0; i < b->peer_count; i++)
		argv[c.argc++] = slice_of(b->peers[i].of.id);
	ret = bus_script(b, SCRIPT_CLAIM, &c);
	if (ret)
		free(claiming);
	return ret;
}

void bus_claim(struct bus_redis *b, struct task *t)
{
	const bool reachable = chat_is_reachable(b);

	if (t->name.len >= NAME_MAX_BYTES) {
		task_free(t);
		return;
	}
	if (reachable && !b->has_peers) {
		t->next = b->claims;
		b->claims = t;
		return;
	}
	if (reachable && send_claim(b, t) == 0)
		return;
	claim_by_memory(b, t);
	task_free(t);
}

void bus_release(struct bus_redis *b, struct task *t)
{
	char key[KEY_MAX], nick[NAME_MAX_BYTES];
	const struct slice argv[] = {{nick, t->name.len},
				     t->hash,
				     slice_of(b->options.instance),
				     t->flag ? SLICE("1") : SLICE("0")};
	const struct redis_command c = {.key = chat_key(b, "nicks", key),
					.argc = 4,
					.argv = argv,
					.patience_ms = ASK_PATIENCE_MS};

	if (t->name.len < NAME_MAX_BYTES &&
	    count_claim(b, t->name, t->hash, -1) == 1) {
		name_key(t->name, nick);
		bus_script(b, SCRIPT_LEAVE, &c);
		bus_notice(b, t->flag ? "left" : "free", SLICE(""), t->name,
			   t->hash);
		if (t->flag)
			bus_nick_known(b, t->name, t->hash,
				       slice_of(b->options.instance),
				       bus_time(b));
		else
			bus_nick_gone(b, t->name);
	}
	task_free(t);
}

static void note_nick(struct bus_redis *b, struct slice key, struct slice value)
{
	char hash_key[KEY_MAX];
	struct slice hash, instance;
	int64_t left_ms;

	if (!read_holder(value, &hash, &instance, &left_ms))
		return;
	/* An inbox that nobody looked into for a day. */
	if (left_ms > 0 && bus_time(b) - left_ms > INBOX_MS) {
		drop_field(b, chat_key(b, "nicks", hash_key), key, value);
		return;
	}
	if (left_ms == 0 && !bus_peer_lives(b, instance))
		left_ms = bus_time(b);
	bus_nick_known(b, key, hash, instance, left_ms);
}

static void take_nicks(void *arg, const redisReply *reply)
{
	struct bus_redis *b = arg;

	if (!reply_is_list(reply, 0) || b->ending)
		return;
	for (unsigned i = 0; i < HASH_SIZE; i++)
		for (struct known_nick *n = b->nicks[i]; n; n = n->next)
			n->found = n->claims > 0;
	for (size_t i = 0; i + 1 < reply->elements; i += 2)
		note_nick(b, reply_text(reply->element[i]),
			  reply_text(reply->element[i + 1]));
	pthread_mutex_lock(&b->lock);
	for (unsigned i = 0; i < HASH_SIZE; i++) {
		struct known_nick **at = &b->nicks[i];

		while (*at)
			if ((*at)->found)
				at = &(*at)->next;
			else
				nick_drop(b, at);
	}
	pthread_mutex_unlock(&b->lock);
}

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
	drop_field(b, bus_key(b, slice_of(r->name), "who", key), nick,
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
	copy_text(p->instance, sizeof(p->instance), instance);
	p->since_ms = b->now_ms;
	p->found = true;
	say_other(b, r, SIGNAL_JOIN, nick, instance);
}

void bus_renamed(struct bus_redis *b, struct room_log *r,
		 const struct signal *s)
{
	struct person **at = find_person(&r->others, s->nick);
	struct person *p = *at;

	if (p && slice_equal(slice_of(p->instance), s->instance)) {
		*at = p->next;
		free(p);
	}
	p = *find_person(&r->others, s->text);
	if (!p)
		p = add_person(&r->others, s->text);
	if (p) {
		copy_text(p->instance, sizeof(p->instance), s->instance);
		p->since_ms = b->now_ms;
	}
	if (b->hub)
		hub_on_signal(b->hub, s);
}

/* One line of the list. */
static void compare_who(struct bus_redis *b, struct room_log *r,
			struct slice nick, struct slice instance)
{
	struct person *p;
	char key[KEY_MAX];

	if (is_ours(b, instance)) {
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
		drop_field(b, bus_key(b, slice_of(r->name), "who", key), nick,
			   instance);
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
		copy_text(nick, sizeof(nick), slice_of(p->nick));
		copy_text(instance, sizeof(instance), slice_of(p->instance));
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
	r->who_ms = b->now_ms + (reply_is_list(reply, 0) ? WHO_MS : LEASE_MS);
	if (!reply_is_list(reply, 0))
		return;
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
	if (ask_all(b, bus_key(b, slice_of(r->name), "who", key), take_who,
		    r) != 0)
		return;
	r->who_asked = true;
	r->asked++;
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
	const struct slice hash = chat_key(b, "rooms", key);
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
	const struct slice hash = chat_key(b, "rooms", key);
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
	const struct slice hash = chat_key(b, "rooms", key);
	const struct slice argv[] = {SLICE("HSETNX"), hash, slice_of(r->name),
				     SLICE("{\"topic\":\"\"}")};

	if (!is_listed(slice_of(r->name)) || !chat_is_reachable(b))
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
	copy_text(room->topic, sizeof(room->topic),
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
		copy_text(list[count].name, sizeof(list[count].name), field);
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
			drop_field(b, chat_key(b, "rooms", key), field, value);
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

/* ------------------------------------------------------------ all of it */

static void claim_again(struct bus_redis *b)
{
	for (unsigned i = 0; i < HASH_SIZE; i++)
		for (struct known_nick *n = b->nicks[i]; n; n = n->next) {
			struct task *t;

			if (n->claims == 0)
				continue;
			t = task_new(b, bus_claim, slice_of(n->key),
				     slice_of(n->hash));
			if (!t)
				continue;
			t->flag = true; /* nobody asked */
			bus_enqueue(b, t);
		}
}

void bus_people_again(struct bus_redis *b)
{
	for (unsigned i = 0; i < HASH_SIZE; i++)
		for (struct room_log *r = b->rooms[i]; r; r = r->next) {
			r->who_ms = 0;
			r->listed = false;
			r->listed_count = ~0u;
			for (struct person *p = r->people; p; p = p->next)
				write_who(b, r, slice_of(p->nick));
		}
	claim_again(b);
	b->nicks_ms = b->directory_ms = b->tick_ms = 0;
}

void bus_people_attend(struct bus_redis *b)
{
	char key[KEY_MAX];

	if (!chat_is_reachable(b)) {
		run_claims(b); /* by what is known */
		return;
	}
	if (b->now_ms >= b->lease_ms && !b->lease_asked) {
		b->lease_ms = b->now_ms + LEASE_MS;
		send_lease(b);
	}
	if (!b->has_peers)
		return;
	if (b->now_ms >= b->nicks_ms) {
		b->nicks_ms = b->now_ms + NICKS_MS;
		ask_all(b, chat_key(b, "nicks", key), take_nicks, b);
	}
	if (b->now_ms >= b->directory_ms) {
		b->directory_ms = b->now_ms + DIRECTORY_MS;
		ask_all(b, chat_key(b, "rooms", key), take_directory, b);
	}
}

static void leave_hash(struct bus_redis *b, struct slice key,
		       struct slice field)
{
	const struct slice argv[] = {SLICE("HDEL"), key, field};

	bus_tell(b, key, 3, argv);
}

static void leave_room(struct bus_redis *b, struct room_log *r)
{
	char key[KEY_MAX];

	for (struct person *p = r->people; p; p = p->next) {
		const struct signal s = {.kind = SIGNAL_PART,
					 .room = slice_of(r->name),
					 .nick = slice_of(p->nick),
					 .instance =
						 slice_of(b->options.instance)};

		drop_field(b, bus_key(b, s.room, "who", key), s.nick,
			   s.instance);
	}
	r->people_count = 0;
	list_count(b, r);
}

void bus_people_leave(struct bus_redis *b)
{
	const struct slice id = slice_of(b->options.instance);
	char key[KEY_MAX];

	if (!b->has_lease)
		return;
	leave_hash(b, chat_key(b, "inst", key), id);
	for (unsigned i = 0; i < 2; i++) {
		const int len = snprintf(
			key, sizeof(key), "%ssocket:clients:%s",
			b->options.prefix, i ? "lastUpdate" : "counts");

		leave_hash(b, (struct slice){key, (size_t)len}, id);
	}
	for (unsigned i = 0; i < HASH_SIZE; i++)
		for (struct room_log *r = b->rooms[i]; r; r = r->next)
			if (r->people)
				leave_room(b, r);
}
