/* SPDX-License-Identifier: MIT */
/* flow.c - the flow table against a plain list */
#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

#include "core/flow.h"
#include "frames.h"
#include "unit.h"

#define SIZE_MAX_TESTED 1000

/* One line of the list: what was opened and what must be found. */
struct entry {
	struct flow_identity id;
	struct flow *flow;
	uint64_t number;
};

struct fixture {
	struct flow_table table;
	struct flow *flows;
	struct entry entries[SIZE_MAX_TESTED + 1]; /* one that is refused */
	uint32_t n;
	uint64_t opened;
};

static struct fixture *make(uint32_t size)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct random r = {42};
	uint8_t secret[FLOW_SECRET_BYTES];

	ck_assert_ptr_nonnull(f);
	for (size_t i = 0; i < sizeof(secret); i++)
		secret[i] = (uint8_t)random_next(&r);
	f->flows = aligned_alloc(64, size * sizeof(struct flow));
	ck_assert_ptr_nonnull(f->flows);
	memset(f->flows, 0, size * sizeof(struct flow));
	ck_assert_int_eq(
		flow_table_init(&f->table, f->flows, size, secret, NULL, NULL),
		0);
	return f;
}

static void unmake(struct fixture *f)
{
	flow_table_free(&f->table);
	free(f->flows);
	free(f);
}

/* Client number @n at the same service and backend, by NAT port @n. */
static struct flow_identity identity(uint32_t n)
{
	struct flow_identity id = {
		.client = frame_endpoint("198.18.0.2", (uint16_t)(n + 1)),
		.vip = frame_endpoint("198.18.0.1", 20000),
		.nat = frame_endpoint("198.18.0.1", (uint16_t)(n + 1)),
		.backend = frame_endpoint("198.18.0.11", 9001),
		.proto = PACKET_PROTO_TCP,
		.service_index = 3,
		.backend_index = 4,
		.pool = 5,
	};

	id.client.addr.b[13] = (uint8_t)(n >> 16);
	id.nat.addr.b[13] = (uint8_t)(n >> 16);
	return id;
}

static struct flow_key key_of(const struct flow_identity *id,
			      enum flow_side side)
{
	struct flow_key key = {.proto = id->proto};

	if (side == FLOW_ORIG)
		key.pair = (struct flow_pair){id->client, id->vip};
	else
		key.pair = (struct flow_pair){id->backend, id->nat};
	return key;
}

static struct flow *find(const struct flow_table *t,
			 const struct flow_identity *id, enum flow_side from)
{
	struct flow_key key = key_of(id, from);
	uint32_t hash = flow_hash(t, &key);
	enum flow_side side = FLOW_SIDES;
	struct flow *flow;

	flow_prefetch_slot(t, hash);
	flow_prefetch(t, hash);
	flow = flow_find(t, &key, hash, &side);
	unit_check(!flow || side == from, "found from the wrong side");
	return flow;
}

static bool open_entry(struct fixture *f, uint32_t n)
{
	struct entry *e = &f->entries[f->n];

	e->id = identity(n);
	e->flow = flow_open(&f->table, &e->id, 1000 + n);
	if (!e->flow)
		return false;
	e->number = ++f->opened;
	f->n++;
	return true;
}

static void close_entry(struct fixture *f, uint32_t at)
{
	struct entry gone = f->entries[at];

	flow_close(&f->table, gone.flow);
	f->entries[at] = f->entries[--f->n];
	unit_check(!find(&f->table, &gone.id, FLOW_ORIG), "still by client");
	unit_check(!find(&f->table, &gone.id, FLOW_REPLY), "still by backend");
}

static void check_entry(const struct fixture *f, const struct entry *e)
{
	const struct flow *flow = e->flow;
	struct endpoint client = flow_client(flow), vip = flow_vip(flow);
	struct endpoint nat = flow_nat(flow), backend = flow_backend(flow);

	unit_check(find(&f->table, &e->id, FLOW_ORIG) == flow, "by client");
	unit_check(find(&f->table, &e->id, FLOW_REPLY) == flow, "by backend");
	unit_check(endpoint_equal(&client, &e->id.client), "client");
	unit_check(endpoint_equal(&vip, &e->id.vip), "VIP");
	unit_check(endpoint_equal(&nat, &e->id.nat), "NAT address");
	unit_check(endpoint_equal(&backend, &e->id.backend), "backend");
	unit_check(flow->id == e->number, "number");
	unit_check(flow->open == 1, "open");
	unit_check(flow->service == 3 && flow->backend == 4 && flow->pool == 5,
		   "indices");
}

static void check_all(const struct fixture *f)
{
	uint32_t walked = 0, from = 0;
	struct flow *flow;

	for (uint32_t i = 0; i < f->n; i++)
		check_entry(f, &f->entries[i]);
	while ((flow = flow_next(&f->table, from))) {
		unit_check(flow_index(&f->table, flow) >= from, "order");
		from = flow_index(&f->table, flow) + 1;
		walked++;
	}
	ck_assert_uint_eq(walked, f->n);
	ck_assert_uint_eq(f->table.used, f->n);
	ck_assert_uint_eq(f->table.opened, f->opened);
}

START_TEST(table_finds_exactly_what_a_list_finds)
{
	static const uint32_t sizes[] = {1, 2, 3, 5, 16, 17, 100, 1000};
	const uint32_t size = sizes[_i];
	struct random r = unit_random(__func__);
	struct fixture *f = make(size);
	uint32_t next = 0, checks = size < 100 ? 1 : 50;

	for (uint32_t step = 0; step < 20000; step++) {
		/* phases that fill it to the brim and that drain it */
		bool fill = step / (3 * size + 10) % 2 == 0;

		if (random_below(&r, 4) < (fill ? 3 : 1))
			ck_assert(open_entry(f, next++) || f->n == size);
		else if (f->n)
			close_entry(f, random_below(&r, f->n));
		if (step % checks == 0 && (size < 1000 || step % 500 == 0))
			check_all(f);
	}
	while (f->n)
		close_entry(f, f->n - 1);
	check_all(f);
	unmake(f);
}
END_TEST

START_TEST(full_table_refuses_and_loses_nothing)
{
	struct fixture *f = make(10);

	for (uint32_t i = 0; i < 10; i++)
		ck_assert(open_entry(f, i));
	for (uint32_t i = 10; i < 20; i++) {
		struct flow_identity id = identity(i);

		ck_assert(!open_entry(f, i));
		ck_assert_ptr_null(find(&f->table, &id, FLOW_ORIG));
		ck_assert_ptr_null(find(&f->table, &id, FLOW_REPLY));
	}
	check_all(f);
	close_entry(f, 4);
	ck_assert(open_entry(f, 30));
	check_all(f);
	unmake(f);
}
END_TEST

/* By this a reader in another process sees that the place was taken since. */
START_TEST(each_flow_of_a_place_has_another_generation)
{
	struct fixture *f = make(1);

	for (uint32_t i = 0; i < 100; i++) {
		const uint32_t before = f->flows[0].generation;

		ck_assert(open_entry(f, i));
		ck_assert_uint_gt(f->flows[0].generation, before);
		close_entry(f, 0);
	}
	unmake(f);
}
END_TEST

START_TEST(new_flow_starts_clean_in_a_used_place)
{
	struct fixture *f = make(1);
	struct flow *flow;

	ck_assert(open_entry(f, 0));
	flow = f->entries[0].flow;
	flow->packets[0] = flow->bytes[1] = 99;
	close_entry(f, 0);
	ck_assert(open_entry(f, 1));
	flow = f->entries[0].flow;
	for (int side = 0; side < FLOW_SIDES; side++) {
		ck_assert_uint_eq(flow->packets[side], 0);
		ck_assert_uint_eq(flow->bytes[side], 0);
	}
	ck_assert_uint_eq(flow->opened_ns, 1001);
	ck_assert_uint_eq(flow->seen_ns, 1001);
	unmake(f);
}
END_TEST

START_TEST(protocol_and_both_ends_tell_flows_apart)
{
	struct fixture *f = make(4);
	struct flow_identity id = identity(0), other;

	ck_assert(open_entry(f, 0));
	other = id;
	other.proto = 17;
	ck_assert_ptr_null(find(&f->table, &other, FLOW_ORIG));
	other = id;
	other.client.port ^= htons(1);
	other.nat.port ^= htons(1);
	ck_assert_ptr_null(find(&f->table, &other, FLOW_ORIG));
	ck_assert_ptr_null(find(&f->table, &other, FLOW_REPLY));
	other = id;
	other.vip.addr.b[0] = 1; /* 128 bits count */
	other.backend.addr.b[0] = 1;
	ck_assert_ptr_null(find(&f->table, &other, FLOW_ORIG));
	ck_assert_ptr_null(find(&f->table, &other, FLOW_REPLY));
	other = id;
	other.client = id.vip;
	other.vip = id.client;
	ck_assert_ptr_null(find(&f->table, &other, FLOW_ORIG));
	unmake(f);
}
END_TEST

struct hashed {
	uint32_t hash, n;
};

static int by_hash(const void *a, const void *b)
{
	const struct hashed *x = a, *y = b;

	return (x->hash > y->hash) - (x->hash < y->hash);
}

/* Keys whose whole hash is equal, not just their slot. */
START_TEST(flows_with_equal_hashes_are_told_apart)
{
	enum { KEYS = 400000 };
	struct hashed *keys = calloc(KEYS, sizeof(*keys));
	struct fixture *f = make(100);
	unsigned pairs = 0;

	ck_assert_ptr_nonnull(keys);
	for (uint32_t n = 0; n < KEYS; n++) {
		struct flow_identity id = identity(n);
		struct flow_key key = key_of(&id, FLOW_ORIG);

		keys[n] = (struct hashed){flow_hash(&f->table, &key), n};
	}
	qsort(keys, KEYS, sizeof(*keys), by_hash);
	for (uint32_t i = 1; i < KEYS && pairs < 20; i++) {
		if (keys[i].hash != keys[i - 1].hash)
			continue;
		pairs++;
		ck_assert(open_entry(f, keys[i - 1].n));
		ck_assert(open_entry(f, keys[i].n));
		check_all(f);
	}
	ck_assert_uint_ge(pairs, 5);
	while (f->n) {
		close_entry(f, f->n / 2);
		check_all(f);
	}
	free(keys);
	unmake(f);
}
END_TEST

START_TEST(hash_depends_on_the_secret)
{
	struct fixture *a = make(4);
	struct flow_identity id = identity(0);
	struct flow_key key = key_of(&id, FLOW_ORIG);
	uint32_t before = flow_hash(&a->table, &key);
	uint8_t secret[FLOW_SECRET_BYTES];

	flow_table_free(&a->table);
	for (size_t i = 0; i < sizeof(secret); i++)
		secret[i] = (uint8_t)(i * 37 + 1);
	memset(a->flows, 0, 4 * sizeof(*a->flows));
	ck_assert_int_eq(
		flow_table_init(&a->table, a->flows, 4, secret, NULL, NULL), 0);
	ck_assert_uint_ne(flow_hash(&a->table, &key), before);
	unmake(a);
}
END_TEST

START_TEST(walk_over_an_empty_table_ends_at_once)
{
	struct fixture *f = make(3);

	ck_assert_ptr_null(flow_next(&f->table, 0));
	ck_assert_ptr_null(flow_next(&f->table, 3));
	ck_assert_ptr_null(flow_next(&f->table, UINT32_MAX));
	unmake(f);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{table_finds_exactly_what_a_list_finds, 8},
		{full_table_refuses_and_loses_nothing, 0},
		{each_flow_of_a_place_has_another_generation, 0},
		{new_flow_starts_clean_in_a_used_place, 0},
		{protocol_and_both_ends_tell_flows_apart, 0},
		{flows_with_equal_hashes_are_told_apart, 0},
		{hash_depends_on_the_secret, 0},
		{walk_over_an_empty_table_ends_at_once, 0},
	};

	return unit_run("flow", tests, ARRAY_LEN(tests));
}
