/* SPDX-License-Identifier: MIT */
/*
 * sched_explain.c - to ask where a client would go changes nothing, and the
 * answer is where it goes
 *
 * Random services of every kind, under random changes, a million questions.
 */
#include "sched.h"

#define CASES 1000000

/* One change of anything that a choice depends on. */
static void change(struct fixture *f, struct random *r)
{
	const unsigned n = f->service.n_backends;
	struct backend *b = &f->backends[random_below(r, n)];

	switch (random_below(r, 14)) {
	case 0: b->up = !b->up; break;
	case 1: b->params.weight = random_below(r, 257); break;
	case 2: b->params.backup = random_below(r, 4) == 0; break;
	case 3: b->flows = random_below(r, 100); break;
	case 4: b->handshake_ns = random_next(r) >> 34; break;
	case 5: b->handshake_at_ns = f->now_ns; break;
	case 6:
		b->breaker.state = (enum breaker_state)random_below(r, 3);
		b->breaker.params.trials = 1;
		b->breaker.trials = random_below(r, 2);
		b->breaker.due_ns = f->now_ns + random_below(r, NS_PER_S);
		break;
	case 7: backend_set_add(&f->tried, b->index); break;
	case 8: memset(&f->tried, 0, sizeof(f->tried)); break;
	case 9:
		b->health.up = b->health.recovered = true;
		b->health.params.slow_start_ms = 10000;
		b->health.since_ns = f->now_ns;
		break;
	case 10:
		f->service.params.checked = random_below(r, 2);
		f->service.params.health.slow_start_ms =
			random_below(r, 2) ? 10000 : 0;
		break;
	case 11:
		f->service.params.hash_port = random_below(r, 2);
		f->service.params.hash_key.bytes[0] ^= 1;
		f->service.params.hash_key.set = random_below(r, 2);
		break;
	case 12:
		b->slot = b->slot == SLOT_LIVE ? SLOT_LEAVING : SLOT_LIVE;
		b->params.admin =
			random_below(r, 4) ? ADMIN_ENABLED : ADMIN_DRAIN;
		break;
	default:
		f->service.params.scheduler =
			(enum sched_kind)random_below(r, SCHED_KINDS);
		break;
	}
	if (random_below(r, 4)) /* else later, with the next */
		sched_changed(&f->service);
	if (random_below(r, 10) == 0)
		sched_refresh(&f->service);
}

START_TEST(asking_changes_nothing_and_tells_the_truth)
{
	struct random r = unit_random(__func__);
	static struct fixture f, before;
	static uint64_t kinds[SCHED_KINDS], nobody;

	for (unsigned i = 0; i < CASES; i++) {
		struct endpoint client = client_of(random_below(&r, 1000));
		struct sched_question q;
		struct sched_why why;
		const struct backend *told;
		struct backend *b;

		if (i % 500 == 0)
			make(&f, (enum sched_kind)random_below(&r, SCHED_KINDS),
			     1 + random_below(&r, i % 5000 ? 8 : N_MAX), NULL);
		change(&f, &r);
		f.now_ns += random_below(&r, NS_PER_S);
		f.client = client_of(random_below(&r, 1000));
		q = question(&f);
		q.client = &client;

		/* Somebody asks, about this client and about another. */
		if (i % 256 == 0)
			before = f;
		told = sched_choose(&f.service, &q, &why);
		ask(&f);
		unit_check(i % 256 || memcmp(&before, &f, sizeof(f)) == 0,
			   "case %u: asking changed something", i);

		/* The client comes. */
		b = sched_choose(&f.service, &q, &why);
		unit_check(b == told, "case %u: told another", i);
		kinds[f.service.params.scheduler]++;
		nobody += !b;
		if (!b)
			continue;
		unit_check(backend_takes_flows(b) &&
				   !backend_set_has(&q.tried, b->index),
			   "case %u: it may not have it", i);
		sched_commit(&f.service, b, &why);
		b->flows++;
	}
	for (int i = 0; i < SCHED_KINDS; i++)
		ck_assert_uint_ge(kinds[i], CASES / 20);
	ck_assert_uint_le(nobody, CASES / 2);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{asking_changes_nothing_and_tells_the_truth, 0},
	};

	return unit_run("sched_explain", tests, ARRAY_LEN(tests));
}
