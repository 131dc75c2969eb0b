/* SPDX-License-Identifier: MIT */
/* Slots as Redis Cluster gives them (values of redis-cli CLUSTER KEYSLOT). */
#include "core/slot.h"

#include "unit.h"

static const struct {
	const char *key;
	unsigned slot;
} keys[] = {
	{"", 0},
	{"123456789", 0x31c3},
	{"foo", 12182},
	{"bar", 5061},
	{"hello", 866},
	{"{foo}:log", 12182},
	{"{foo}:ch", 12182},
	{"x{foo}y", 12182},
	{"foo{bar}{zap}", 5061},
};

START_TEST(a_key_has_its_slot)
{
	ck_assert_uint_eq(slot_of(slice_of(keys[_i].key)), keys[_i].slot);
}
END_TEST

START_TEST(the_tag_is_the_first_that_is_not_empty_or_open)
{
	/* "foo{}{bar}": the first pair is empty, so all is hashed. */
	ck_assert_uint_eq(slot_of(SLICE("foo{}{bar}")), 8363);
	ck_assert_uint_ne(slot_of(SLICE("{bar")), slot_of(SLICE("bar")));
	/* "foo{{bar}}zap": the tag is "{bar". */
	ck_assert_uint_eq(slot_of(SLICE("foo{{bar}}zap")),
			  slot_of(SLICE("{bar")));
	ck_assert_uint_eq(slot_of(SLICE("{user1000}.following")),
			  slot_of(SLICE("{user1000}.followers")));
	ck_assert_uint_eq(slot_of((struct slice){NULL, 0}), 0);
}
END_TEST

START_TEST(the_map_finds_the_node)
{
	static struct slotmap m;
	const struct slice a = SLICE("10.0.0.1"), b = SLICE("redis-b");

	slotmap_init(&m);
	ck_assert_int_eq(slotmap_find(&m, SLICE("foo")), -1);
	ck_assert(slotmap_add(&m, 0, 8191, SLICE(""), 7000, a));
	ck_assert(!slotmap_is_complete(&m));
	ck_assert(slotmap_add(&m, 8192, 16383, b, 7001, a));
	ck_assert(slotmap_is_complete(&m));
	ck_assert_uint_eq(m.count, 2);
	ck_assert_int_eq(slotmap_find(&m, SLICE("foo")), 1);
	ck_assert_int_eq(slotmap_find(&m, SLICE("bar")), 0);
	ck_assert_str_eq(m.nodes[0].host, "10.0.0.1");
	ck_assert_uint_eq(m.nodes[1].port, 7001);
	/* MOVED */
	ck_assert_int_eq(slotmap_move(&m, 12182, a, 7000), 0);
	ck_assert_int_eq(slotmap_find(&m, SLICE("foo")), 0);
	ck_assert_int_eq(slotmap_move(&m, 12182, SLICE("new"), 7000), 2);
	ck_assert_int_eq(slotmap_find(&m, SLICE("foo")), 2);
}
END_TEST

START_TEST(what_cannot_be_is_refused)
{
	static struct slotmap m;
	char host[SLOT_HOST_MAX + 1];
	const struct slice a = SLICE("a");

	memset(host, 'h', sizeof(host));
	slotmap_init(&m);
	ck_assert(!slotmap_add(&m, 5, 4, a, 1, a));
	ck_assert(!slotmap_add(&m, 0, 16384, a, 1, a));
	ck_assert(!slotmap_add(&m, 0, 1, a, 0, a));
	ck_assert(!slotmap_add(&m, 0, 1, a, 65536, a));
	ck_assert(!slotmap_add(&m, 0, 1, SLICE(""), 1, SLICE("")));
	ck_assert(!slotmap_add(&m, 0, 1, (struct slice){host, SLOT_HOST_MAX}, 1,
			       a));
	ck_assert(slotmap_add(&m, 0, 1, (struct slice){host, SLOT_HOST_MAX - 1},
			      1, a));
	ck_assert_int_eq(slotmap_move(&m, SLOTS, a, 1), -1);
	for (unsigned port = 2; port <= SLOT_NODES; port++)
		ck_assert_int_ge(slotmap_move(&m, 7, a, port), 0);
	ck_assert_int_eq(slotmap_move(&m, 7, a, 9999), -1);
	ck_assert_int_ge(slotmap_move(&m, 7, a, 2), 0);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_key_has_its_slot, ARRAY_LEN(keys)},
		{the_tag_is_the_first_that_is_not_empty_or_open, 1},
		{the_map_finds_the_node, 1},
		{what_cannot_be_is_refused, 1},
	};

	return unit_run("slot", tests, ARRAY_LEN(tests));
}
