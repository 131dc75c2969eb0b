/* SPDX-License-Identifier: MIT */
/* ports.c - the NAT ports of one address toward one backend */
#include <stdbool.h>
#include <string.h>

#include "core/ports.h"
#include "unit.h"

#define LO    10240
#define COUNT 1000

struct fixture {
	uint16_t ports[COUNT], ring[COUNT];
	struct port_pool pool;
	bool taken[65536];
};

static struct fixture *make(uint32_t count, uint64_t seed)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct random r = {seed};

	ck_assert_ptr_nonnull(f);
	for (uint32_t i = 0; i < COUNT; i++)
		f->ports[i] = (uint16_t)(LO + i);
	ports_init(&f->pool, f->ring, f->ports, count, &r);
	return f;
}

START_TEST(every_port_is_taken_once_and_then_none_is_left)
{
	struct fixture *f = make(COUNT, 1);

	for (int i = 0; i < COUNT; i++) {
		uint16_t port = ports_take(&f->pool);

		ck_assert_uint_ge(port, LO);
		ck_assert_uint_lt(port, LO + COUNT);
		ck_assert(!f->taken[port]);
		f->taken[port] = true;
	}
	ck_assert_uint_eq(f->pool.free, 0);
	ck_assert_uint_eq(ports_take(&f->pool), 0);
	ck_assert_uint_eq(ports_take(&f->pool), 0);
	free(f);
}
END_TEST

START_TEST(exhausted_pool_gives_the_next_port_that_returns)
{
	struct fixture *f = make(3, 1);
	uint16_t port[3];

	for (int i = 0; i < 3; i++)
		port[i] = ports_take(&f->pool);
	ck_assert_uint_eq(ports_take(&f->pool), 0);
	ports_give(&f->pool, port[1]);
	ck_assert_uint_eq(ports_take(&f->pool), port[1]);
	ck_assert_uint_eq(ports_take(&f->pool), 0);
	free(f);
}
END_TEST

/* RFC 6056 section 3.3: an observer must not guess the next one. */
START_TEST(order_at_start_is_shuffled_and_depends_on_the_seed)
{
	struct fixture *a = make(COUNT, 1), *b = make(COUNT, 2);
	struct fixture *c = make(COUNT, 1);
	int in_order = 0, same = 0;

	for (int i = 0; i < COUNT; i++) {
		uint16_t port = ports_take(&a->pool);

		in_order += port == LO + i;
		same += port == ports_take(&b->pool);
		ck_assert_uint_eq(port, ports_take(&c->pool));
	}
	ck_assert_int_lt(in_order, 20);
	ck_assert_int_lt(same, 20);
	free(a);
	free(b);
	free(c);
}
END_TEST

/* The first port of many seeds: each value about equally often. */
START_TEST(shuffle_prefers_no_port)
{
	enum { TRIES = 10000, PORTS = 10 };
	int seen[PORTS] = {0};

	for (uint64_t seed = 0; seed < TRIES; seed++) {
		struct fixture *f = make(PORTS, seed);

		seen[ports_take(&f->pool) - LO]++;
		free(f);
	}
	for (int i = 0; i < PORTS; i++) {
		ck_assert_int_gt(seen[i], TRIES / PORTS * 8 / 10);
		ck_assert_int_lt(seen[i], TRIES / PORTS * 12 / 10);
	}
}
END_TEST

/* The oracle is an array shifted by hand. */
START_TEST(port_that_rested_longest_comes_first)
{
	struct random r = unit_random(__func__);
	struct fixture *f = make(50, 7);
	uint16_t free_ports[50], used[50];
	unsigned n_free = 0, n_used = 0;

	for (int i = 0; i < 50; i++)
		free_ports[n_free++] = ports_take(&f->pool);
	for (int i = 0; i < 50; i++)
		ports_give(&f->pool, free_ports[i]);

	for (int step = 0; step < 50000; step++) {
		if (random_below(&r, 2)) {
			uint16_t port = ports_take(&f->pool);

			ck_assert_uint_eq(port, n_free ? free_ports[0] : 0);
			if (!n_free)
				continue;
			memmove(free_ports, free_ports + 1,
				--n_free * sizeof(port));
			used[n_used++] = port;
		} else if (n_used) {
			unsigned at = random_below(&r, n_used);

			ports_give(&f->pool, used[at]);
			free_ports[n_free++] = used[at];
			used[at] = used[--n_used];
		}
		ck_assert_uint_eq(f->pool.free, n_free);
	}
	free(f);
}
END_TEST

START_TEST(pool_of_one_port_works)
{
	struct fixture *f = make(1, 3);

	for (int i = 0; i < 5; i++) {
		ck_assert_uint_eq(ports_take(&f->pool), LO);
		ck_assert_uint_eq(ports_take(&f->pool), 0);
		ports_give(&f->pool, LO);
	}
	free(f);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{every_port_is_taken_once_and_then_none_is_left, 0},
		{exhausted_pool_gives_the_next_port_that_returns, 0},
		{order_at_start_is_shuffled_and_depends_on_the_seed, 0},
		{shuffle_prefers_no_port, 0},
		{port_that_rested_longest_comes_first, 0},
		{pool_of_one_port_works, 0},
	};

	return unit_run("ports", tests, ARRAY_LEN(tests));
}
