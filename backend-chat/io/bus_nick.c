/* SPDX-License-Identifier: MIT */
/*
 * Nicks: {chat}:nicks says who holds one (redis_scripts.h). Who wants one asks
 * Redis, or, while that is away, what is known here (bus_nick_list.c).
 */
#include "io/bus_redis.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void claimed(struct bus_redis *b, struct task *t, bool taken,
		    uint64_t number)
{
	if (!taken) {
		bus_nick_known(b, t->name, t->hash,
			       slice_of(b->options.instance), 0, number);
		if (!t->flag)
			bus_nick_count(b, t->name, t->hash, 1);
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

	b->claims_under_way--;
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
	number = bus_nick_number(reply->element[2]);
	if (taken && bus_nick_holder(reply_text(reply->element[1]), &hash,
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
	else
		b->claims_under_way++;
	return ret;
}

void bus_claim(struct bus_redis *b, struct task *t)
{
	const bool reachable = bus_chat_is_reachable(b);
	/* Nobody asked, and nobody has it here any more. */
	const bool is_vain =
		t->flag && bus_nick_count(b, t->name, t->hash, 0) == 0;

	if (t->name.len >= NAME_MAX_BYTES || is_vain) {
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
		number = bus_nick_number(reply->element[1]);
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
	    bus_nick_count(b, t->name, t->hash, -1) == 1) {
		left(b, t, 0);
		if (send_leave(b, t) == 0)
			return;
	}
	task_free(t);
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

bool bus_leave_again(struct bus_redis *b, struct slice nick, struct slice hash)
{
	struct task *t;

	/* A claim that is under way may be the reason; the next list tells. */
	if (b->claims_under_way > 0 || nick.len >= NAME_MAX_BYTES ||
	    bus_nick_count(b, nick, hash, 0) > 0)
		return false;
	t = task_new(b, NULL, nick, hash);
	if (!t)
		return false;
	t->flag = true; /* who comes back has it again */
	if (send_leave(b, t) == 0)
		return true;
	task_free(t);
	return false;
}

void bus_claim_again(struct bus_redis *b, const struct known_nick *n)
{
	struct task *t =
		task_new(b, bus_claim, slice_of(n->key), slice_of(n->hash));

	if (!t)
		return;
	t->flag = true; /* nobody asked */
	bus_enqueue(b, t);
}

void bus_claims_again(struct bus_redis *b)
{
	for (unsigned i = 0; i < HASH_SIZE; i++)
		for (struct known_nick *n = b->nicks[i]; n; n = n->next)
			if (n->claims > 0)
				bus_claim_again(b, n);
}
