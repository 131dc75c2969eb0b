/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/sched/choose.h"
#include "core/sched/load.h"
#include "core/sched/maglev.h"
#include "core/sched/rendezvous.h"
#include "core/sched/turn.h"

static_assert(SCHED_KEY_BYTES == SERVICE_HASH_KEY, "one kind of key");
static_assert(MAGLEV_MEMBERS_MAX >= SERVICE_BACKENDS_MAX, "room for all");

/* ---------------------------------------------------------- who may have it */

static bool may_have(const struct backend *b, const struct sched_question *q,
		     bool backup, bool open)
{
	return b->params.backup == backup && backend_takes_flows(b) &&
	       (open || b->breaker.state == BREAKER_CLOSED ||
		breaker_allows(&b->breaker, q->now_ns)) &&
	       !backend_set_has(&q->tried, b->index);
}

/* First those whose breaker allows it; backups if no other is left. */
static unsigned candidates(const struct service *s,
			   const struct sched_question *q, struct backend **may)
{
	unsigned n = 0;

	for (int open = 0; open <= 1 && n == 0; open++)
		for (int backup = 0; backup <= 1 && n == 0; backup++)
			for (unsigned i = 0; i < s->n_backends; i++)
				if (may_have(&s->backends[i], q, backup, open))
					may[n++] = &s->backends[i];
	return n;
}

/* ------------------------------------------------------------------ maglev */

#define PROBES 9

/*
 * Health does not change the table: a client whose backend may not have it goes
 * on to another place, and comes back when the backend does. So only its
 * clients move, and they spread over all others. (The places after its own are
 * no good for that: whose they are depends on whose that one is, and shares of
 * others came to differ by more than 3 %.) In slow start a part of its
 * clients, the same ones and more and more of them, come back.
 */
static struct backend *by_table(const struct service *s, uint64_t client,
				const struct sched_question *q)
{
	struct random places = {.state = client};
	uint64_t place = client;

	for (unsigned i = 0; s->sched.filled && i < PROBES; i++) {
		const unsigned index = s->sched.table[place % MAGLEV_PLACES];
		struct backend *b;

		if (index >= s->n_backends)
			break;
		b = &s->backends[index];
		if (may_have(b, q, false, false) &&
		    client >> 56 < turn_share(s, b, q->now_ns))
			return b;
		place = random_next(&places);
	}
	return NULL;
}

/* In the table: all that would take flows if they were up. */
static bool is_member(const struct backend *b)
{
	return b->slot == SLOT_LIVE && b->params.admin == ADMIN_ENABLED &&
	       b->params.weight > 0 && !b->params.backup;
}

/* Any change of the table's members, their weights or places shows in it. */
static uint64_t sum_members(const struct service *s)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < s->n_backends; i++) {
		const struct backend *b = &s->backends[i];
		struct random r = {.state = b->token};

		r.state ^= (uint64_t)b->params.weight << 16 | i;
		if (is_member(b))
			sum += random_next(&r);
	}
	return sum;
}

static bool make_table(struct service *s)
{
	if (!s->sched.table)
		s->sched.table = calloc(MAGLEV_PLACES, sizeof(*s->sched.table));
	return s->sched.table;
}

static void build(struct service *s)
{
	struct maglev_member members[SERVICE_BACKENDS_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < s->n_backends; i++)
		if (is_member(&s->backends[i]))
			members[n++] = (struct maglev_member){
				.token = s->backends[i].token,
				.weight = s->backends[i].params.weight,
				.value = (uint16_t)i,
			};
	if (n)
		maglev_build(s->sched.table, members, n);
	s->sched.filled = n > 0;
	s->sched.built = s->sched.members;
}

bool sched_refresh(struct service *s)
{
	if (s->params.scheduler != SCHED_MAGLEV ||
	    s->sched.built == s->sched.members || !make_table(s))
		return false;
	build(s);
	return true;
}

/* ---------------------------------------------------------------- choosing */

static struct backend *in_turn(const struct service *s, struct sched_why *why,
			       uint64_t now_ns)
{
	const bool weighted = s->params.scheduler == SCHED_WRR;

	if (weighted || turn_is_ramping(s, why->may, why->n, now_ns))
		return turn_weighted(s, why, !weighted, now_ns);
	return turn_next(s, why->may, why->n);
}

struct backend *sched_choose(const struct service *s,
			     const struct sched_question *q,
			     struct sched_why *why)
{
	struct backend *const *may = why->may;
	uint64_t client = 0;
	unsigned n;

	why->by_weight = false;
	if (s->params.scheduler == SCHED_MAGLEV) {
		struct backend *b;

		client = rendezvous_client(s, q->client);
		b = by_table(s, client, q);
		if (b)
			return b;
	}
	n = why->n = candidates(s, q, why->may);
	if (n == 0)
		return NULL;
	switch (s->params.scheduler) {
	case SCHED_RR:
	case SCHED_WRR: return in_turn(s, why, q->now_ns);
	case SCHED_LC: return load_least(s, may, n, q->now_ns);
	case SCHED_WLC: return load_least_weighted(s, may, n, q->now_ns);
	case SCHED_HASH:
		if (n > 1)
			client = rendezvous_client(s, q->client);
		return rendezvous(s, may, n, client, q->now_ns);
	case SCHED_MAGLEV: return rendezvous(s, may, n, client, q->now_ns);
	case SCHED_P2C: return load_better_of_two(s, may, n, q->now_ns);
	case SCHED_KINDS: break;
	}
	assert(!"a scheduler for every kind");
	return NULL;
}

/*
 * Those who could not have had the flow neither earn nor pay. One that was
 * tried for it in vain keeps its credit, and so its turn.
 */
void sched_commit(struct service *s, struct backend *b,
		  const struct sched_why *why)
{
	if (why->by_weight)
		turn_charge(s, b, why);
	if (s->params.scheduler == SCHED_P2C)
		random_next(&s->sched.draws);
	s->sched.next = b->index + 1;
}

/* ----------------------------------------------------------------- changes */

/* True if it is another key than before. */
static bool choose_key(struct service *s)
{
	struct sched_memory *m = &s->sched;
	uint8_t was[sizeof(m->key)];

	memcpy(was, m->key, sizeof(was));
	if (s->params.hash_key.set)
		memcpy(m->key, s->params.hash_key.bytes, sizeof(m->key));
	else if (s->params.scheduler == SCHED_HASH)
		memcpy(m->key, m->own_key, sizeof(m->key));
	else /* several balancers agree unasked */
		memset(m->key, 0, sizeof(m->key));
	return memcmp(was, m->key, sizeof(was)) != 0;
}

/*
 * A change of all backends calls this for each of them, so what it does for
 * each must be little.
 */
void sched_changed(struct service *s)
{
	const bool rekeyed = choose_key(s);
	bool left = false;

	for (unsigned i = 0; i < s->n_backends; i++) {
		struct backend *b = &s->backends[i];

		/* 0: the slot has a new backend. */
		if (rekeyed || b->token == 0)
			b->token = rendezvous_token(s->sched.key, &b->addr);
		left |= b->slot != SLOT_LIVE && b->credit;
	}
	/* It takes its credit along, and the others' would not add up. */
	if (left)
		turn_forget(s);
	/* While it is not used nobody keeps the table up. */
	if (s->params.scheduler == SCHED_MAGLEV) {
		s->sched.members = sum_members(s);
	} else {
		s->sched.filled = false;
		s->sched.built = 0;
	}
}

int sched_init(struct service *s, const void *secret, size_t secret_len,
	       uint64_t seed)
{
	memset(&s->sched, 0, sizeof(s->sched));
	rendezvous_own_key(s->sched.own_key, secret, secret_len);
	s->sched.draws.state = seed;
	sched_changed(s);
	if (s->params.scheduler == SCHED_MAGLEV && !make_table(s))
		return -ENOMEM;
	return 0;
}

void sched_free(struct service *s)
{
	free(s->sched.table);
	s->sched.table = NULL;
	s->sched.filled = false;
}
