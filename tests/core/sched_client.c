/* SPDX-License-Identifier: MIT */
/* sched_client.c - the schedulers by client: hash, maglev */
#include <math.h>
#include <time.h>

#include "core/sched/maglev.h"
#include "core/sched/rendezvous.h"
#include "sched.h"

#define CLIENTS 100000

static const enum sched_kind by_client[] = {SCHED_HASH, SCHED_MAGLEV};
#define BY_CLIENT (int)ARRAY_LEN(by_client)

/* Where each client goes, by the last byte of the endpoint: place(). */
static void map(struct fixture *f, int16_t *to)
{
	for (uint32_t i = 0; i < CLIENTS; i++) {
		int got;

		f->client = client_of(i * 7);
		got = ask(f);
		unit_check(got >= 0, "nobody takes the flow");
		to[i] = f->backends[got].addr.addr.b[15];
	}
}

static unsigned count(const int16_t *to, int backend)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < CLIENTS; i++)
		n += to[i] == backend;
	return n;
}

/* Clients that were not @leaver's and are elsewhere now. */
static unsigned moved(const int16_t *before, const int16_t *after, int leaver)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < CLIENTS; i++)
		n += before[i] != leaver && before[i] != after[i];
	return n;
}

static bool is_near(unsigned seen, double share)
{
	const double mean = CLIENTS * share;

	/* Five standard deviations, and half a percent for the table's and the
	 * logarithm's steps.
	 */
	return fabs(seen - mean) <= 5 * sqrt(mean * (1 - share)) + 0.005 * mean;
}

START_TEST(logarithm_is_right_to_a_thousandth)
{
	struct random r = unit_random(__func__);

	for (int i = 0; i < 1000000; i++) {
		uint64_t hash = random_next(&r) >> random_below(&r, 64);
		double u, log;

		if (i % 2)
			hash = ~hash; /* near 1, where the logarithm nears 0 */
		u = (double)(hash | 1) / 0x1p64;
		log = i % 2 ? -log1p(-(double)~hash / 0x1p64) / M_LN2
			    : -log2(u);
		unit_check(fabs((double)rendezvous_log(hash) / 0x1p32 - log) <
				   0.0011 * log + 0x1p-31,
			   "%" PRIx64 ": %g, not %g", hash,
			   (double)rendezvous_log(hash) / 0x1p32, log);
	}
	ck_assert_uint_eq(rendezvous_log(UINT64_MAX), 1);
	ck_assert_uint_eq(rendezvous_log(UINT64_C(1) << 63), UINT64_C(1) << 32);
	ck_assert_uint_eq(rendezvous_log(0), UINT64_C(64) << 32);
}
END_TEST

START_TEST(clients_spread_by_weight)
{
	static const unsigned weights[][6] = {{1, 1, 1, 1, 1, 1},
					      {1, 2, 3, 4, 5, 6},
					      {256, 1, 16, 16, 0, 64}};
	static int16_t to[CLIENTS];
	struct fixture f;

	for (unsigned k = 0; k < ARRAY_LEN(weights); k++) {
		unsigned sum = 0;

		make(&f, by_client[_i], 6, weights[k]);
		for (int i = 0; i < 6; i++)
			sum += weights[k][i];
		map(&f, to);
		for (int i = 0; i < 6; i++)
			ck_assert_msg(is_near(count(to, i),
					      (double)weights[k][i] / sum),
				      "weight %u: %u clients", weights[k][i],
				      count(to, i));
	}
}
END_TEST

START_TEST(a_client_always_gets_the_same_one)
{
	struct fixture f;
	int first;

	make(&f, by_client[_i], 5, NULL);
	for (uint32_t i = 0; i < 1000; i++) {
		f.client = client_of(i);
		first = pick(&f);
		f.client = client_of(i);
		f.client.port = htons((uint16_t)(1024 + i)); /* from another */
		ck_assert_int_eq(pick(&f), first);
	}
}
END_TEST

START_TEST(the_port_counts_if_it_shall)
{
	struct fixture f;
	int seen[N_MAX] = {0};

	make(&f, by_client[_i], 4, NULL);
	f.service.params.hash_port = true;
	for (uint16_t port = 1; port <= 4000; port++) {
		f.client = client_of(1);
		f.client.port = htons(port);
		seen[ask(&f)]++;
	}
	for (int i = 0; i < 4; i++)
		ck_assert_int_ge(seen[i], 850);
}
END_TEST

/* By who the backends are, not by how they are listed. */
START_TEST(order_does_not_matter)
{
	static int16_t a[CLIENTS], b[CLIENTS];
	static const unsigned order[] = {9, 3, 7, 0, 1, 8, 2, 6, 5, 4};
	struct fixture f;

	make(&f, by_client[_i], 10, NULL);
	for (unsigned i = 0; i < 10; i++)
		f.backends[i].params.weight = 1 + i % 3;
	changed(&f);
	map(&f, a);
	for (unsigned i = 0; i < 10; i++) {
		place(&f, i, order[i]);
		f.backends[i].params.weight = 1 + order[i] % 3;
	}
	changed(&f);
	map(&f, b);
	ck_assert_uint_eq(moved(a, b, -1), 0);
}
END_TEST

/* The one that leaves, and how many of the others' clients may move. */
static const struct {
	unsigned n;
	double others; /* of maglev, as a share; hash: none */
} leaving[] = {{3, 0.002}, {10, 0.01}, {64, 0.015}, {256, 0.02}};
#define LEAVING (int)ARRAY_LEN(leaving)

static void leave(enum sched_kind kind, unsigned n, double others)
{
	static int16_t before[CLIENTS], after[CLIENTS];
	const unsigned leaver = n / 3;
	struct fixture f;
	unsigned elsewhere;

	make(&f, kind, n, NULL);
	map(&f, before);
	f.backends[leaver].slot = SLOT_LEAVING;
	changed(&f);
	map(&f, after);
	elsewhere = moved(before, after, (int)leaver);
	printf("%s: 1 of %u leaves, %.2f %% of the others' clients move\n",
	       sched_name(kind), n,
	       100.0 * elsewhere / (CLIENTS - count(before, (int)leaver)));
	ck_assert_uint_eq(count(after, (int)leaver), 0);
	ck_assert_uint_le(elsewhere, (unsigned)(CLIENTS * others));
	for (unsigned i = 0; i < n; i++)
		ck_assert(i == leaver ||
			  is_near(count(after, (int)i), 1.0 / (n - 1)));

	/* And back: as it was. */
	f.backends[leaver].slot = SLOT_LIVE;
	changed(&f);
	map(&f, after);
	ck_assert_uint_eq(moved(before, after, -1), 0);
}

START_TEST(hash_moves_only_the_clients_of_a_leaver)
{
	leave(SCHED_HASH, leaving[_i].n, 0);
}
END_TEST

START_TEST(maglev_moves_few_others_when_one_leaves)
{
	leave(SCHED_MAGLEV, leaving[_i].n, leaving[_i].others);
}
END_TEST

/* Down, ejected, tried: its clients go elsewhere, and come back. */
START_TEST(only_the_clients_of_one_that_fails_move)
{
	static int16_t before[CLIENTS], after[CLIENTS];
	const enum sched_kind kind = by_client[_i % BY_CLIENT];
	const int how = _i / BY_CLIENT;
	struct fixture f;
	struct backend *b = &f.backends[4];

	make(&f, kind, 8, NULL);
	map(&f, before);
	switch (how) {
	case 0: b->up = false; break;
	case 1:
		b->breaker.state = BREAKER_OPEN;
		b->breaker.due_ns = 1;
		break;
	default: backend_set_add(&f.tried, 4); break;
	}
	ck_assert(!sched_refresh(&f.service)); /* no new table */
	map(&f, after);
	ck_assert_uint_eq(count(after, 4), 0);
	ck_assert_uint_eq(moved(before, after, 4), 0);
	for (int i = 0; i < 8; i++)
		ck_assert(i == 4 || is_near(count(after, i), 1.0 / 7));
	b->up = true;
	b->breaker.state = BREAKER_CLOSED;
	memset(&f.tried, 0, sizeof(f.tried));
	map(&f, after);
	ck_assert_uint_eq(moved(before, after, -1), 0);
}
END_TEST

/* All but one fail, so most places and the eight after them are of no use. */
START_TEST(the_last_one_gets_all_clients)
{
	static int16_t to[CLIENTS];
	struct fixture f;

	make(&f, by_client[_i], 64, NULL);
	for (unsigned i = 0; i < 64; i++)
		f.backends[i].up = i == 7;
	map(&f, to);
	ck_assert_uint_eq(count(to, 7), CLIENTS);
	/* Of two, about half each. */
	f.backends[9].up = true;
	map(&f, to);
	ck_assert(is_near(count(to, 7), 0.5));
}
END_TEST

/* In slow start its own clients come back, more and more of them. */
START_TEST(clients_come_back_little_by_little)
{
	static int16_t full[CLIENTS], before[CLIENTS], now[CLIENTS];
	struct fixture f;

	make_recovered(&f, by_client[_i], 4, NULL);
	ramp_to(&f, 8);
	map(&f, full);
	f.backends[0].up = false;
	map(&f, before);
	f.backends[0].up = true;
	for (unsigned k = 1; k <= 8; k++) {
		ramp_to(&f, k);
		map(&f, now);
		for (uint32_t i = 0; i < CLIENTS; i++) {
			unit_check(now[i] == before[i] || now[i] == 0,
				   "client %u went from %d to %d", i, before[i],
				   now[i]);
			unit_check(now[i] != 0 || full[i] == 0,
				   "client %u is not its own", i);
		}
		/* k/8 of a quarter, or for rendezvous k/8 of the weight. */
		ck_assert(is_near(count(now, 0), by_client[_i] == SCHED_HASH
							 ? k / (k + 24.0)
							 : k / 32.0));
		memcpy(before, now, sizeof(before));
	}
	ck_assert_uint_eq(moved(full, now, -1), 0);
}
END_TEST

START_TEST(another_key_gives_another_order)
{
	static int16_t a[CLIENTS], b[CLIENTS];
	struct fixture f;

	make(&f, by_client[_i], 4, NULL);
	map(&f, a);
	f.service.params.hash_key.set = true;
	f.service.params.hash_key.bytes[15] = 1;
	changed(&f);
	map(&f, b);
	/* By chance one of four stays. */
	ck_assert(is_near(moved(a, b, -1), 0.75));
	for (int i = 0; i < 4; i++)
		ck_assert(is_near(count(b, i), 0.25));
	memset(f.service.params.hash_key.bytes, 0, 16);
	changed(&f);
	map(&f, b);
	/* maglev's own key is zero, that of hash is secret. */
	if (by_client[_i] == SCHED_MAGLEV)
		ck_assert_uint_eq(moved(a, b, -1), 0);
	else
		ck_assert(is_near(moved(a, b, -1), 0.75));
}
END_TEST

/* From the same secret the same key, so a restart moves nobody. */
START_TEST(the_own_key_follows_from_the_secret)
{
	uint8_t a[SCHED_KEY_BYTES], b[SCHED_KEY_BYTES], secret[192] = {7};

	rendezvous_own_key(a, secret, sizeof(secret));
	rendezvous_own_key(b, secret, sizeof(secret));
	ck_assert_mem_eq(a, b, sizeof(a));
	secret[191] ^= 1;
	rendezvous_own_key(b, secret, sizeof(secret));
	ck_assert_mem_ne(a, b, sizeof(a));
}
END_TEST

/* Fixed figures: other machines and later versions must agree with them. */
START_TEST(every_machine_decides_alike)
{
	static const uint8_t expected[][16] = {
		{8, 4, 4, 2, 6, 0, 2, 7, 4, 5, 8, 7, 7, 5, 0, 5},
		{3, 7, 4, 4, 7, 1, 7, 9, 5, 3, 5, 1, 8, 8, 8, 1},
	};
	struct fixture f;

	make(&f, by_client[_i], 10,
	     (const unsigned[]){1, 2, 3, 1, 2, 3, 1, 2, 3, 1});
	f.service.params.hash_key.set = true;
	for (uint8_t i = 0; i < 16; i++)
		f.service.params.hash_key.bytes[i] = i;
	changed(&f);
	for (uint32_t i = 0; i < 16; i++) {
		f.client = client_of(i);
		ck_assert_int_eq(ask(&f), expected[_i][i]);
	}
}
END_TEST

/* ------------------------------------------------------- maglev's own table */

START_TEST(maglev_gives_each_its_places)
{
	static const unsigned sizes[] = {1, 2, 3, 10, 64, 100, 255, 256};
	struct random r = unit_random(__func__);
	static uint16_t table[MAGLEV_PLACES];
	struct maglev_member m[MAGLEV_MEMBERS_MAX];
	unsigned places[MAGLEV_MEMBERS_MAX];

	for (unsigned k = 0; k < 6 * ARRAY_LEN(sizes); k++) {
		const unsigned n = sizes[k % ARRAY_LEN(sizes)];
		double sum = 0;

		for (unsigned i = 0; i < n; i++) {
			m[i] = (struct maglev_member){random_next(&r), 1,
						      (uint16_t)i};
			if (k >= ARRAY_LEN(sizes)) /* else all alike */
				m[i].weight = k % 2 ? 1 + random_below(&r, 256)
					      : i   ? 1
						    : 256;
			sum += m[i].weight;
		}
		maglev_build(table, m, n);
		memset(places, 0, sizeof(places));
		for (unsigned i = 0; i < MAGLEV_PLACES; i++) {
			unit_check(table[i] < n, "place %u: %u", i, table[i]);
			places[table[i]]++;
		}
		for (unsigned i = 0; i < n; i++) {
			const double ideal = MAGLEV_PLACES * m[i].weight / sum;
			const unsigned seen = places[m[i].value];

			ck_assert_uint_ge(seen, 1);
			ck_assert_msg(fabs(seen - ideal) < 2 + 0.01 * ideal,
				      "%u of %u: %u, %g", i, n, seen, ideal);
			/* No more than 1 % above: with equal weights 0.05 %. */
			if (k < ARRAY_LEN(sizes))
				ck_assert_uint_le(seen, (unsigned)ceil(ideal));
		}
	}
}
END_TEST

/* A backend that joined is in no table before the next refresh. */
START_TEST(a_stale_table_serves_until_the_next_refresh)
{
	static int16_t a[CLIENTS], b[CLIENTS];
	struct fixture f;

	make(&f, SCHED_MAGLEV, 4, NULL);
	map(&f, a);
	place(&f, 4, 4);
	f.backends[4].params.weight = 1;
	f.service.n_backends = 5;
	sched_changed(&f.service);
	map(&f, b);
	ck_assert_uint_eq(moved(a, b, -1), 0);
	ck_assert(sched_refresh(&f.service));
	ck_assert(!sched_refresh(&f.service));
	map(&f, b);
	ck_assert(is_near(count(b, 4), 0.2));
	/* Nothing of it has changed. */
	sched_changed(&f.service);
	ck_assert(!sched_refresh(&f.service));
	/* As another scheduler it has none, and it needs one when it is back:
	 * also if it never had the memory.
	 */
	f.service.sched.table = NULL;
	f.service.params.scheduler = SCHED_RR;
	sched_changed(&f.service);
	ck_assert(!sched_refresh(&f.service));
	f.service.params.scheduler = SCHED_MAGLEV;
	sched_changed(&f.service);
	ck_assert(sched_refresh(&f.service));
	map(&f, a);
	ck_assert_uint_eq(moved(a, b, -1), 0);
	sched_free(&f.service);
}
END_TEST

/* Of a thousand changes, each with another key or all with the same. */
static clock_t time_of_changes(struct fixture *f, bool keys)
{
	const clock_t begin = clock();

	f->service.params.hash_key.set = true;
	for (unsigned n = 0; n < 1000; n++) {
		f->service.params.hash_key.bytes[0] = keys ? (uint8_t)n : 0;
		sched_changed(&f->service);
	}
	return clock() - begin;
}

/* A reload may bring 256 backends, and each is a change for all others. */
START_TEST(who_is_known_is_not_hashed_again)
{
	struct fixture f;
	clock_t hashed, known;

	make(&f, SCHED_RR, N_MAX, NULL);
	hashed = time_of_changes(&f, true);
	known = time_of_changes(&f, false);
	ck_assert_msg(known < hashed / 2, "%ld against %ld", (long)known,
		      (long)hashed);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{logarithm_is_right_to_a_thousandth, 0},
		{clients_spread_by_weight, BY_CLIENT},
		{a_client_always_gets_the_same_one, BY_CLIENT},
		{the_port_counts_if_it_shall, BY_CLIENT},
		{order_does_not_matter, BY_CLIENT},
		{hash_moves_only_the_clients_of_a_leaver, LEAVING},
		{maglev_moves_few_others_when_one_leaves, LEAVING},
		{only_the_clients_of_one_that_fails_move, 3 * BY_CLIENT},
		{the_last_one_gets_all_clients, BY_CLIENT},
		{clients_come_back_little_by_little, BY_CLIENT},
		{another_key_gives_another_order, BY_CLIENT},
		{the_own_key_follows_from_the_secret, 0},
		{every_machine_decides_alike, BY_CLIENT},
		{maglev_gives_each_its_places, 0},
		{a_stale_table_serves_until_the_next_refresh, 0},
		{who_is_known_is_not_hashed_again, 0},
	};

	return unit_run("sched_client", tests, ARRAY_LEN(tests));
}
