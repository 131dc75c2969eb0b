/* SPDX-License-Identifier: MIT */
/* sched.c - who may take a flow; the schedulers by turn: rr, wrr */
#include "sched.h"

START_TEST(rr_takes_each_in_turn)
{
	struct fixture f;

	make(&f, SCHED_RR, 3, NULL);
	for (int i = 0; i < 30; i++) {
		static int first;

		if (i == 0)
			first = pick(&f);
		else
			ck_assert_int_eq(pick(&f), (first + i) % 3);
	}
}
END_TEST

START_TEST(rr_skips_those_that_take_no_flows)
{
	struct fixture f;
	int seen[N_MAX];

	make(&f, SCHED_RR, 4, NULL);
	f.backends[1].up = false;
	f.backends[2].params.weight = 0;
	pick_many(&f, 100, seen);
	ck_assert_int_eq(seen[0], 50);
	ck_assert_int_eq(seen[3], 50);
}
END_TEST

START_TEST(rr_ignores_weights_but_zero)
{
	struct fixture f;
	int seen[N_MAX];

	make(&f, SCHED_RR, 2, (const unsigned[]){9, 1});
	pick_many(&f, 100, seen);
	ck_assert_int_eq(seen[0], 50);
}
END_TEST

/* 3:2:1 exactly in every six, from any point on, and never AAA in a row. */
START_TEST(wrr_is_exact_in_every_round_and_interleaved)
{
	struct fixture f;
	int order[60];

	make(&f, SCHED_WRR, 3, (const unsigned[]){3, 2, 1});
	for (int i = 0; i < 60; i++)
		order[i] = pick(&f);
	for (int at = 0; at + 6 <= 60; at += 6) {
		int seen[3] = {0};

		for (int i = 0; i < 6; i++)
			seen[order[at + i]]++;
		ck_assert_int_eq(seen[0], 3);
		ck_assert_int_eq(seen[1], 2);
		ck_assert_int_eq(seen[2], 1);
	}
	for (int i = 2; i < 60; i++) {
		ck_assert(order[i] != order[i - 1] || order[i] != order[i - 2]);
		ck_assert(order[i] == 0 || order[i] != order[i - 1]);
	}
}
END_TEST

START_TEST(wrr_with_large_and_uneven_weights_is_exact)
{
	static const unsigned weights[] = {65535, 1, 1000};
	struct fixture f;
	int seen[N_MAX];

	make(&f, SCHED_WRR, 3, weights);
	pick_many(&f, 65535 + 1 + 1000, seen);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(seen[i], (int)weights[i]);
}
END_TEST

/* Whoever was away has no claim to what he missed, and owes nothing. */
START_TEST(wrr_gives_no_burst_to_a_backend_that_returns)
{
	struct fixture f;
	int seen[N_MAX];

	make(&f, SCHED_WRR, 3, (const unsigned[]){3, 2, 1});
	pick_many(&f, 4, seen);
	f.backends[1].up = false;
	pick_many(&f, 4000, seen);
	ck_assert_int_eq(seen[1], 0);
	ck_assert_int_eq(seen[0], 3000);
	f.backends[1].up = true;
	pick_many(&f, 60, seen);
	ck_assert_int_ge(seen[0], 28);
	ck_assert_int_le(seen[0], 32);
	ck_assert_int_ge(seen[1], 18);
	ck_assert_int_le(seen[1], 22);
	ck_assert_int_ge(seen[2], 8);
	ck_assert_int_le(seen[2], 12);
}
END_TEST

START_TEST(wrr_stays_fair_when_some_were_tried_already)
{
	struct fixture f;
	int seen[N_MAX];

	make(&f, SCHED_WRR, 3, (const unsigned[]){3, 2, 1});
	backend_set_add(&f.tried, 0);
	pick_many(&f, 3000, seen);
	ck_assert_int_eq(seen[0], 0);
	ck_assert_int_eq(seen[1], 2000);
	memset(&f.tried, 0, sizeof(f.tried));
	pick_many(&f, 60, seen);
	ck_assert_int_ge(seen[1], 18);
	ck_assert_int_ge(seen[2], 8);
	ck_assert_int_ge(seen[0], 28);
}
END_TEST

/*
 * Bad weights, found by a search: the credits stay within SPREAD_MAX rounds of
 * each other as long as the same backends take part, so no round is cut short.
 */
START_TEST(wrr_never_begins_anew_by_itself)
{
	static const unsigned bad[] = {4, 1, 4,	  4,   128, 1,	4,  256,
				       4, 1, 256, 256, 16,  64, 16, 64};
	struct random r = unit_random(__func__);
	unsigned weights[N_MAX];
	struct fixture f;

	for (int round = 0; round < 60; round++) {
		const unsigned n = round ? 2 + random_below(&r, 63) : 16;
		int left[N_MAX], picks = 0;

		for (unsigned i = 0; i < n; i++) {
			weights[i] = round == 0	 ? bad[i]
				     : round % 3 ? 1u << random_below(&r, 9)
						 : 1 + random_below(&r, 256);
			left[i] = (int)weights[i];
			picks += left[i];
		}
		make(&f, SCHED_WRR, n, weights);
		for (int i = 0; i < picks; i++)
			left[pick(&f)]--;
		for (unsigned i = 0; i < n; i++)
			ck_assert_int_eq(left[i], 0);
	}
}
END_TEST

/*
 * Its weight was most of the sum. The credits of the others lie a hundred of
 * their own rounds apart, and one would get a hundred flows in a row.
 */
START_TEST(wrr_is_fair_at_once_when_a_heavy_one_goes)
{
	struct fixture f;
	int seen[N_MAX];

	for (int at = 1; at < 258; at++) {
		make(&f, SCHED_WRR, 3, (const unsigned[]){256, 1, 1});
		pick_many(&f, at, seen);
		f.backends[0].up = false;
		pick_many(&f, 20, seen);
		ck_assert_int_ge(seen[1], 8);
		ck_assert_int_le(seen[1], 12);
		ck_assert_int_eq(credits(&f), 0);
	}
}
END_TEST

/* From any point of a round: within one round of the new weights. */
START_TEST(wrr_follows_new_weights_within_a_round)
{
	static const unsigned old[][3] = {{1, 1, 1}, {256, 1, 3}, {5, 7, 1}};
	static const unsigned new[][3] = {{3, 2, 1}, {1, 1, 1}, {1, 100, 10}};
	struct fixture f;
	int seen[N_MAX];

	for (unsigned k = 0; k < 9; k++) {
		const unsigned *from = old[k / 3], *to = new[k % 3];
		const unsigned sum = from[0] + from[1] + from[2];

		for (unsigned at = 0; at < sum; at++) {
			make(&f, SCHED_WRR, 3, from);
			pick_many(&f, (int)at, seen);
			for (int i = 0; i < 3; i++)
				f.backends[i].params.weight = to[i];
			changed(&f);
			for (int round = 0; round < 3; round++) {
				pick_many(&f, (int)(to[0] + to[1] + to[2]),
					  seen);
				for (int i = 0; i < 3; i++) {
					ck_assert_int_le(seen[i],
							 (int)to[i] + 2);
					ck_assert_int_ge(seen[i],
							 (int)to[i] - 2);
				}
			}
			/* From here on exactly. */
			pick_many(&f, (int)(to[0] + to[1] + to[2]), seen);
			for (int i = 0; i < 3; i++)
				ck_assert_int_eq(seen[i], (int)to[i]);
		}
	}
}
END_TEST

/* Somebody sets weights all the time: the lighter one is not forgotten. */
START_TEST(wrr_is_fair_under_constant_changes)
{
	struct fixture f;
	int seen[2] = {0};

	make(&f, SCHED_WRR, 2, (const unsigned[]){100, 90});
	for (int i = 0; i < 1900; i++) {
		f.backends[i % 2].params.weight ^= 1;
		changed(&f);
		seen[pick(&f)]++;
	}
	ck_assert_int_ge(seen[1], 880);
	ck_assert_int_le(seen[1], 920);
}
END_TEST

/*
 * Backends come, go, fail, are tried, change their weights: credits always add
 * up to 0, and when all of it ends, every round is exact.
 */
START_TEST(wrr_keeps_its_books)
{
	struct random r = unit_random(__func__);
	struct fixture f;
	int seen[N_MAX], sum;

	for (int round = 0; round < 50; round++) {
		make(&f, SCHED_WRR, 6, NULL);
		for (int step = 0; step < 2000; step++) {
			struct backend *b = &f.backends[random_below(&r, 6)];

			switch (random_below(&r, 8)) {
			case 0: b->up = !b->up; break;
			case 1:
				b->params.weight = random_below(&r, 257);
				changed(&f);
				break;
			case 2: /* its place is given to another */
				b->slot = b->slot == SLOT_LIVE ? SLOT_LEAVING
							       : SLOT_LIVE;
				changed(&f);
				if (b->slot != SLOT_LIVE)
					ck_assert_int_eq(b->credit, 0);
				break;
			case 3: b->params.backup = !b->params.backup; break;
			case 4: backend_set_add(&f.tried, b->index); break;
			default: break;
			}
			pick(&f);
			if (step % 2)
				memset(&f.tried, 0, sizeof(f.tried));
			unit_check(credits(&f) == 0, "credits add up to %lld",
				   (long long)credits(&f));
		}
		sum = 0;
		for (int i = 0; i < 6; i++) {
			f.backends[i].up = true;
			f.backends[i].slot = SLOT_LIVE;
			f.backends[i].params.backup = false;
			f.backends[i].params.weight = 1 + random_below(&r, 9);
			sum += (int)f.backends[i].params.weight;
		}
		changed(&f);
		pick_many(&f, 8 * sum, seen);
		pick_many(&f, sum, seen);
		for (int i = 0; i < 6; i++)
			ck_assert_int_eq(seen[i],
					 (int)f.backends[i].params.weight);
	}
}
END_TEST

/* Without a port it gets nothing, but neither loses its turn nor saves up. */
START_TEST(wrr_leaves_the_books_of_one_without_ports_alone)
{
	struct fixture f;
	int seen[N_MAX];

	make(&f, SCHED_WRR, 3, (const unsigned[]){3, 2, 1});
	for (int i = 0; i < 3000; i++) {
		memset(&f.tried, 0, sizeof(f.tried));
		if (ask(&f) == 0)
			backend_set_add(&f.tried, 0);
		pick(&f);
	}
	memset(&f.tried, 0, sizeof(f.tried));
	pick_many(&f, 6, seen);
	ck_assert_int_ge(seen[0], 3);
	ck_assert_int_le(seen[0], 4);
}
END_TEST

/* ------------------------------------------------------------- slow start */

/* After k of 8 parts of it they are as k : 4 : 12, exact in every 16 + k. */
START_TEST(wrr_multiplies_the_weight_by_the_ramp)
{
	struct fixture f;
	int seen[N_MAX];

	make_recovered(&f, SCHED_WRR, 3, (const unsigned[]){2, 1, 3});
	for (unsigned k = 1; k <= 10; k++) {
		const int part = k < 8 ? (int)k : 8; /* over: its weight */

		ramp_to(&f, k);
		pick_many(&f, 16 + part, seen);
		ck_assert_int_eq(seen[0], part);
		ck_assert_int_eq(seen[1], 4);
		ck_assert_int_eq(seen[2], 12);
	}
}
END_TEST

/* Weights do not count for rr, but a ramp does. */
START_TEST(rr_gives_less_than_a_turn_while_one_ramps)
{
	struct fixture f;
	int seen[N_MAX];

	make_recovered(&f, SCHED_RR, 3, (const unsigned[]){9, 1, 1});
	ramp_to(&f, 2);
	pick_many(&f, 90, seen);
	ck_assert_int_eq(seen[0], 10);
	ck_assert_int_eq(seen[1], 40);
	ramp_to(&f, 8);
	pick_many(&f, 90, seen);
	ck_assert_int_eq(seen[0], 30);
}
END_TEST

/* Who was never down has its weight from the start, and who is not checked. */
START_TEST(only_a_checked_backend_that_was_down_ramps)
{
	struct fixture f;
	int seen[N_MAX];

	for (int checked = 0; checked <= 1; checked++) {
		make_recovered(&f, (enum sched_kind)_i, 2, NULL);
		f.service.params.checked = checked;
		f.backends[0].health.recovered = !checked;
		pick_many(&f, 100, seen);
		if (_i == SCHED_HASH || _i == SCHED_MAGLEV || _i == SCHED_P2C) {
			ck_assert_int_ge(seen[0], 30); /* by chance */
			ck_assert_int_le(seen[0], 70);
		} else {
			ck_assert_int_eq(seen[0], 50);
		}
	}
}
END_TEST

/* ------------------------------------------------------- who may be picked */

static void check_backups(enum sched_kind kind)
{
	struct fixture f;
	int seen[N_MAX];

	make(&f, kind, 4, NULL);
	f.backends[0].params.backup = f.backends[3].params.backup = true;
	f.backends[1].flows = f.backends[2].flows = 1000;
	pick_many(&f, 50, seen);
	ck_assert_int_eq(seen[0] + seen[3], 0);
	f.backends[1].up = false;
	pick_many(&f, 50, seen);
	ck_assert_int_eq(seen[2], 50);
	f.backends[2].params.weight = 0;
	pick_many(&f, 50, seen);
	ck_assert_int_eq(seen[0] + seen[3], 50);
	f.backends[1].up = true;
	pick_many(&f, 50, seen);
	ck_assert_int_eq(seen[1], 50);
}

START_TEST(backups_serve_only_when_no_other_takes_flows)
{
	check_backups((enum sched_kind)_i);
}
END_TEST

/* Those that are known to answer come first, be they backups. */
START_TEST(ejected_backends_are_picked_when_nobody_else_is_left)
{
	static const int order[] = {1, 3, 0, 2}; /* 0 and 2 are ejected */
	struct fixture f;

	make(&f, (enum sched_kind)_i, 4, NULL);
	f.backends[2].params.backup = f.backends[3].params.backup = true;
	for (int i = 0; i <= 2; i += 2) {
		f.backends[i].breaker.state = BREAKER_OPEN;
		f.backends[i].breaker.due_ns = 1;
	}
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(pick(&f), order[i]);
		backend_set_add(&f.tried, (unsigned)order[i]);
	}
	ck_assert_int_eq(pick(&f), -1);
}
END_TEST

START_TEST(tried_backends_are_not_picked_again)
{
	struct fixture f;

	make(&f, (enum sched_kind)_i, 5, NULL);
	for (int i = 0; i < 5; i++) {
		int got = pick(&f);

		ck_assert_int_ge(got, 0);
		ck_assert(!backend_set_has(&f.tried, (unsigned)got));
		backend_set_add(&f.tried, (unsigned)got);
	}
	ck_assert_int_eq(pick(&f), -1);
}
END_TEST

START_TEST(no_backend_is_picked_when_none_takes_flows)
{
	struct fixture f;

	make(&f, (enum sched_kind)_i, 3, NULL);
	f.backends[0].up = f.backends[1].up = false;
	f.backends[2].params.weight = 0;
	ck_assert_int_eq(pick(&f), -1);
	f.backends[1].up = true;
	ck_assert_int_eq(pick(&f), 1);
	f.service.n_backends = 0;
	ck_assert_int_eq(pick(&f), -1);
}
END_TEST

START_TEST(set_of_backends_holds_any_index)
{
	struct backend_set set = {{0}};

	for (unsigned i = 0; i < SERVICE_BACKENDS_MAX; i++) {
		ck_assert(!backend_set_has(&set, i));
		backend_set_add(&set, i);
		ck_assert(backend_set_has(&set, i));
	}
}
END_TEST

START_TEST(names_and_kinds_go_both_ways)
{
	for (int i = 0; i < SCHED_KINDS; i++)
		ck_assert_int_eq(sched_by_name(sched_name((enum sched_kind)i)),
				 i);
	ck_assert_int_eq(sched_by_name("rr"), SCHED_RR);
	ck_assert_int_eq(sched_by_name("wrr"), SCHED_WRR);
	ck_assert_int_eq(sched_by_name("lc"), SCHED_LC);
	ck_assert_int_eq(sched_by_name("round_robin"), SCHED_RR);
	ck_assert_int_eq(sched_by_name("round-robin"), SCHED_RR);
	ck_assert_int_eq(sched_by_name("roundrobin"), SCHED_RR);
	ck_assert_int_eq(sched_by_name("weighted_round_robin"), SCHED_WRR);
	ck_assert_int_eq(sched_by_name("least_connections"), SCHED_LC);
	ck_assert_int_eq(sched_by_name("least_conn"), SCHED_LC);
	ck_assert_int_eq(sched_by_name("wlc"), SCHED_WLC);
	ck_assert_int_eq(sched_by_name("ip_hash"), SCHED_HASH);
	ck_assert_int_eq(sched_by_name("source"), SCHED_HASH);
	ck_assert_int_eq(sched_by_name("mh"), SCHED_MAGLEV);
	ck_assert_int_eq(sched_by_name("consistent"), SCHED_MAGLEV);
	ck_assert_int_eq(sched_by_name("power_of_two"), SCHED_P2C);
	ck_assert_int_eq(sched_by_name("random"), SCHED_P2C);
	ck_assert_int_eq(sched_by_name("r"), SCHED_KINDS);
	ck_assert_int_eq(sched_by_name("rrr"), SCHED_KINDS);
	ck_assert_int_eq(sched_by_name("round"), SCHED_KINDS);
	ck_assert_int_eq(sched_by_name("ip_hash_"), SCHED_KINDS);
	ck_assert_int_eq(sched_by_name(""), SCHED_KINDS);
	ck_assert_ptr_null(sched_name(SCHED_KINDS));
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{rr_takes_each_in_turn, 0},
		{rr_skips_those_that_take_no_flows, 0},
		{rr_ignores_weights_but_zero, 0},
		{wrr_is_exact_in_every_round_and_interleaved, 0},
		{wrr_with_large_and_uneven_weights_is_exact, 0},
		{wrr_gives_no_burst_to_a_backend_that_returns, 0},
		{wrr_stays_fair_when_some_were_tried_already, 0},
		{wrr_never_begins_anew_by_itself, 0},
		{wrr_is_fair_at_once_when_a_heavy_one_goes, 0},
		{wrr_follows_new_weights_within_a_round, 0},
		{wrr_is_fair_under_constant_changes, 0},
		{wrr_keeps_its_books, 0},
		{wrr_leaves_the_books_of_one_without_ports_alone, 0},
		{wrr_multiplies_the_weight_by_the_ramp, 0},
		{rr_gives_less_than_a_turn_while_one_ramps, 0},
		{only_a_checked_backend_that_was_down_ramps, SCHED_KINDS},
		{backups_serve_only_when_no_other_takes_flows, SCHED_KINDS},
		{ejected_backends_are_picked_when_nobody_else_is_left,
		 SCHED_KINDS},
		{tried_backends_are_not_picked_again, SCHED_KINDS},
		{no_backend_is_picked_when_none_takes_flows, SCHED_KINDS},
		{set_of_backends_holds_any_index, 0},
		{names_and_kinds_go_both_ways, 0},
	};

	return unit_run("sched", tests, ARRAY_LEN(tests));
}
