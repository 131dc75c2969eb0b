/* SPDX-License-Identifier: MIT */
/*
 * Nicks: every instance keeps a copy of {chat}:nicks, told by notices and read
 * again now and then, because notices may be lost. What is asked and what is
 * told come on two connections, so the number of a change decides which of two
 * is the later one. A nick that is free stays in the copy, without a holder,
 * until all are read again.
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

/* One connection more or less of this instance. Returns how many there were. */
unsigned bus_nick_count(struct bus_redis *b, struct slice nick,
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

/* "HASH INSTANCE LEFT" */
bool bus_nick_holder(struct slice value, struct slice *hash,
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

uint64_t bus_nick_number(const redisReply *element)
{
	uint64_t number;

	return slice_u64(reply_text(element), UINT64_MAX, &number) ? number : 0;
}

static void note_nick(struct bus_redis *b, struct slice key, struct slice value,
		      uint64_t number)
{
	char hash_key[KEY_MAX];
	struct slice hash, instance;
	int64_t left_ms;

	if (!bus_nick_holder(value, &hash, &instance, &left_ms))
		return;
	/* An inbox that nobody looked into for a day. */
	if (left_ms > 0 && bus_time(b) - left_ms > INBOX_MS) {
		bus_drop_field(b, bus_chat_key(b, "nicks", hash_key), key,
			       value);
		return;
	}
	if (left_ms == 0 &&
	    (!bus_peer_lives(b, instance) ||
	     (bus_is_ours(b, instance) && bus_leave_again(b, key, hash))))
		left_ms = bus_time(b);
	bus_nick_known(b, key, hash, instance, left_ms, number);
}

/* Of the last change that is in the list of all; 0: none, or it is lost. */
static uint64_t number_of_list(const redisReply *reply)
{
	for (size_t i = 0; i + 1 < reply->elements; i += 2)
		if (reply_text(reply->element[i]).len == 0)
			return bus_nick_number(reply->element[i + 1]);
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

/* The list, as of that change, knows more than we do, and lacks it. */
static bool is_lost(const struct known_nick *n, uint64_t number)
{
	return !n->found && n->number <= number;
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
			n->found = false;
	for (size_t i = 0; i + 1 < reply->elements; i += 2)
		note_nick(b, reply_text(reply->element[i]),
			  reply_text(reply->element[i + 1]), number);
	for (unsigned i = 0; i < HASH_SIZE; i++)
		for (struct known_nick *n = b->nicks[i]; n; n = n->next)
			if (is_lost(n, number) && n->claims > 0)
				bus_claim_again(b, n);
	pthread_mutex_lock(&b->lock);
	for (unsigned i = 0; i < HASH_SIZE; i++) {
		struct known_nick **at = &b->nicks[i];

		while (*at)
			if (is_lost(*at, number) && (*at)->claims == 0)
				nick_drop(b, at);
			else
				at = &(*at)->next;
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
