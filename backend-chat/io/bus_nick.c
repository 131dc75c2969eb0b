/* SPDX-License-Identifier: MIT */
/*
 * Nicks: {chat}:nicks says who holds one (redis_scripts.h), and every instance
 * keeps a copy, told by notices and read again now and then, because notices
 * may be lost. What is asked and what is told come on two connections, so the
 * number of a change decides which of two is the later one. A nick that is free
 * stays in the copy, without a holder, until all are read again.
 */
#include "io/bus_redis.h"
#include "io/clock.h"

#include <errno.h>
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

/* Returns false if something later is known. The caller holds the lock. */
static bool is_news(struct bus_redis *b, struct known_nick *n, uint64_t number)
{
	if (number > b->nicks_number)
		b->nicks_number = number;
	if (!n || (number > 0 && number < n->number))
		return false;
	if (number > 0)
		n->number = number;
	return true;
}

void bus_nick_known(struct bus_redis *b, struct slice nick, struct slice hash,
		    struct slice instance, int64_t left_ms, uint64_t number)
{
	char key[NAME_MAX_BYTES];
	struct known_nick *n;

	if (nick.len >= sizeof(key))
		return;
	name_key(nick, key);
	pthread_mutex_lock(&b->lock);
	n = nick_get(b, key);
	if (is_news(b, n, number)) {
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

void bus_nick_gone(struct bus_redis *b, struct slice nick, uint64_t number)
{
	char key[NAME_MAX_BYTES];
	struct known_nick *n;

	if (nick.len >= sizeof(key))
		return;
	name_key(nick, key);
	pthread_mutex_lock(&b->lock);
	n = nick_get(b, key);
	if (is_news(b, n, number)) {
		n->hash[0] = '\0';
		n->claims = 0;
	}
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
	uint64_t left;

	if (!first || first == last ||
	    !slice_u64(slice_from(value, (size_t)(last + 1 - value.at)),
		       INT64_MAX, &left))
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

static uint64_t number_of(const redisReply *element)
{
	uint64_t number;

	return slice_u64(reply_text(element), UINT64_MAX, &number) ? number : 0;
}

static void claimed(struct bus_redis *b, struct task *t, bool taken,
		    uint64_t number)
{
	if (!taken) {
		bus_nick_known(b, t->name, t->hash,
			       slice_of(b->options.instance), 0, number);
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

	claimed(b, t, held, 0);
}

/* A task that waits for Redis' answer. */
struct asking {
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
	struct asking *asking = arg;
	struct bus_redis *b = asking->bus;
	struct task *t = asking->task;
	struct slice hash, instance;
	uint64_t number;
	int64_t left_ms;
	bool taken;

	free(asking);
	if (b->ending) {
		task_free(t);
		return;
	}
	if (!reply_is_list(reply, 3)) {
		claim_by_memory(b, t);
		task_free(t);
		return;
	}
	if (reply->element[0]->integer == 2) {
		claim_when_sure(b, t);
		return;
	}
	taken = reply->element[0]->integer != 0;
	number = number_of(reply->element[2]);
	if (taken && read_holder(reply_text(reply->element[1]), &hash,
				 &instance, &left_ms))
		bus_nick_known(b, t->name, hash, instance, left_ms, number);
	claimed(b, t, taken, number);
	if (!taken && reply_is_list(reply, 4) &&
	    reply->element[3]->integer == 0)
		bus_nick_notice(b, "claim", t->name, t->hash, number);
	task_free(t);
}

static int send_claim(struct bus_redis *b, struct task *t)
{
	struct asking *asking = calloc(1, sizeof(*asking));
	struct slice argv[8 + PEERS_MAX];
	char key[KEY_MAX], nick[NAME_MAX_BYTES], quiet[12];
	struct redis_command c = {.key = bus_chat_key(b, "nicks", key),
				  .argc = 8,
				  .argv = argv,
				  .done = take_claim,
				  .arg = asking,
				  .patience_ms = ASK_PATIENCE_MS};
	struct nick_words notice;
	int ret = -ENOMEM;

	if (!asking)
		return ret;
	*asking = (struct asking){b, t};
	name_key(t->name, nick);
	snprintf(quiet, sizeof(quiet), "%d", PRESENCE_QUIET_MS);
	bus_nick_words(b, "claim", t->name, t->hash, &notice);
	argv[0] = slice_of(nick);
	argv[1] = t->hash;
	argv[2] = slice_of(b->options.instance);
	argv[3] = slice_of(quiet);
	argv[4] = t->sure ? SLICE("1") : SLICE("0");
	memcpy(argv + 5, notice.word, sizeof(notice.word));
	for (unsigned i = 0; i < b->peer_count; i++)
		argv[c.argc++] = slice_of(b->peers[i].of.id);
	if (!notice.text.failed)
		ret = bus_script(b, SCRIPT_CLAIM, &c);
	writer_free(&notice.text);
	if (ret)
		free(asking);
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

/* number: as of bus_nick_known(). */
static void left(struct bus_redis *b, struct task *t, uint64_t number)
{
	if (t->flag)
		bus_nick_known(b, t->name, t->hash,
			       slice_of(b->options.instance), bus_time(b),
			       number);
	else
		bus_nick_gone(b, t->name, number);
}

static const char *kind_of_leave(const struct task *t)
{
	return t->flag ? "left" : "free";
}

static void take_leave(void *arg, const redisReply *reply)
{
	struct asking *asking = arg;
	struct bus_redis *b = asking->bus;
	struct task *t = asking->task;
	uint64_t number;

	free(asking);
	if (!b->ending && reply_is_list(reply, 3) &&
	    reply->element[0]->integer == 1) {
		number = number_of(reply->element[1]);
		left(b, t, number);
		if (reply->element[2]->integer == 0)
			bus_nick_notice(b, kind_of_leave(t), t->name, t->hash,
					number);
	}
	task_free(t);
}

static int send_leave(struct bus_redis *b, struct task *t)
{
	struct asking *asking = calloc(1, sizeof(*asking));
	struct slice argv[7];
	char key[KEY_MAX], nick[NAME_MAX_BYTES];
	const struct redis_command c = {.key = bus_chat_key(b, "nicks", key),
					.argc = 7,
					.argv = argv,
					.done = take_leave,
					.arg = asking,
					.patience_ms = ASK_PATIENCE_MS};
	struct nick_words notice;
	int ret = -ENOMEM;

	if (!asking)
		return ret;
	*asking = (struct asking){b, t};
	name_key(t->name, nick);
	bus_nick_words(b, kind_of_leave(t), t->name, t->hash, &notice);
	argv[0] = slice_of(nick);
	argv[1] = t->hash;
	argv[2] = slice_of(b->options.instance);
	argv[3] = t->flag ? SLICE("1") : SLICE("0");
	memcpy(argv + 4, notice.word, sizeof(notice.word));
	if (!notice.text.failed)
		ret = bus_script(b, SCRIPT_LEAVE, &c);
	writer_free(&notice.text);
	if (ret)
		free(asking);
	return ret;
}

void bus_release(struct bus_redis *b, struct task *t)
{
	if (t->name.len < NAME_MAX_BYTES &&
	    count_claim(b, t->name, t->hash, -1) == 1) {
		left(b, t, 0);
		if (send_leave(b, t) == 0)
			return;
	}
	task_free(t);
}

static void note_nick(struct bus_redis *b, struct slice key, struct slice value,
		      uint64_t number)
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
	bus_nick_known(b, key, hash, instance, left_ms, number);
}

/* Of the last change that is in the list of all; 0: none, or it is lost. */
static uint64_t number_of_list(const redisReply *reply)
{
	for (size_t i = 0; i + 1 < reply->elements; i += 2)
		if (reply_text(reply->element[i]).len == 0)
			return number_of(reply->element[i + 1]);
	return 0;
}

/* Redis knows less than it has told us: changes are counted anew. */
static void forget_numbers(struct bus_redis *b)
{
	b->nicks_number = 0;
	for (unsigned i = 0; i < HASH_SIZE; i++)
		for (struct known_nick *n = b->nicks[i]; n; n = n->next)
			n->number = 0;
}

static void take_nicks(void *arg, const redisReply *reply)
{
	struct bus_redis *b = arg;
	uint64_t number;

	b->nicks_under_way = false;
	if (b->ending)
		return;
	if (!reply_is_list(reply, 0)) {
		if (b->nicks_ms > b->now_ms + LEASE_MS)
			b->nicks_ms = b->now_ms + LEASE_MS;
		return;
	}
	number = number_of_list(reply);
	if (number < b->nicks_asked) {
		forget_numbers(b);
		/* A notice of the new count may have come before this answer
		 * and seemed old, or is newer than this list and falls with
		 * the numbers. The next list has what it told.
		 */
		b->nicks_ms = b->tick_ms = 0;
	}
	for (unsigned i = 0; i < HASH_SIZE; i++)
		for (struct known_nick *n = b->nicks[i]; n; n = n->next)
			n->found = n->claims > 0 || n->number > number;
	for (size_t i = 0; i + 1 < reply->elements; i += 2)
		note_nick(b, reply_text(reply->element[i]),
			  reply_text(reply->element[i + 1]), number);
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

	b->nicks_asked = b->nicks_number;
	b->nicks_under_way = bus_ask_all(b, bus_chat_key(b, "nicks", key),
					 take_nicks, b) == 0;
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
