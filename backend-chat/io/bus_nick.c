/* SPDX-License-Identifier: MIT */
/*
 * Nicks: {chat}:nicks says who holds one (redis_scripts.h), and every instance
 * keeps a copy, told by notices and read again now and then, because notices
 * may be lost.
 */
#include "io/bus_redis.h"
#include "io/clock.h"

#include <stdio.h>
#include <stdlib.h>

#define INBOX_MS (INT64_C(24) * 3600 * 1000)

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
		    !bus_is_ours(b, instance))
			n->claims = 0;
		bus_copy(n->hash, sizeof(n->hash), hash);
		bus_copy(n->instance, sizeof(n->instance), instance);
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
	t->sure = true;
	t->next = b->claims;
	b->claims = t;
	bus_peers_read(b);
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
	struct redis_command c = {.key = bus_chat_key(b, "nicks", key),
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
	const bool reachable = bus_chat_is_reachable(b);

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
	const struct redis_command c = {.key = bus_chat_key(b, "nicks", key),
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
		bus_drop_field(b, bus_chat_key(b, "nicks", hash_key), key,
			       value);
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

void bus_nicks_read(struct bus_redis *b)
{
	char key[KEY_MAX];

	bus_ask_all(b, bus_chat_key(b, "nicks", key), take_nicks, b);
}

void bus_claims_run(struct bus_redis *b)
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

void bus_claims_again(struct bus_redis *b)
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
