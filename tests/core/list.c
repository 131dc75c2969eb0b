/* SPDX-License-Identifier: MIT */
/* list.c - lists of indices against plain arrays */
#include <string.h>

#include "core/list.h"
#include "unit.h"

#define ITEMS 40
#define HEADS 3

/* Array i holds what the list at head ITEMS + i should hold, in order. */
struct oracle {
	uint32_t items[HEADS][ITEMS];
	uint32_t count[HEADS];
};

static int where(const struct oracle *o, uint32_t item, uint32_t *at)
{
	for (int h = 0; h < HEADS; h++)
		for (*at = 0; *at < o->count[h]; (*at)++)
			if (o->items[h][*at] == item)
				return h;
	return -1;
}

static void check_equal(const struct list_node *nodes, const struct oracle *o)
{
	uint32_t at;

	for (uint32_t h = 0; h < HEADS; h++) {
		uint32_t node = ITEMS + h;

		for (uint32_t i = 0; i < o->count[h]; i++) {
			unit_check(nodes[node].next == o->items[h][i], "next");
			unit_check(nodes[nodes[node].next].prev == node,
				   "previous");
			node = nodes[node].next;
		}
		ck_assert_uint_eq(nodes[node].next, ITEMS + h);
		ck_assert_uint_eq(nodes[ITEMS + h].prev, node);
		ck_assert(list_linked(nodes, ITEMS + h) == (o->count[h] > 0));
	}
	for (uint32_t i = 0; i < ITEMS; i++)
		unit_check(list_linked(nodes, i) == (where(o, i, &at) >= 0),
			   "item %u", i);
}

START_TEST(lists_in_one_array_stay_in_order_and_apart)
{
	struct random r = unit_random(__func__);
	struct list_node nodes[ITEMS + HEADS];
	struct oracle o = {0};

	list_init(nodes, ITEMS + HEADS);
	check_equal(nodes, &o);
	for (int step = 0; step < 20000; step++) {
		uint32_t item = random_below(&r, ITEMS), at;
		int h = where(&o, item, &at);

		if (h >= 0) {
			list_remove(nodes, item);
			o.count[h]--;
			memmove(&o.items[h][at], &o.items[h][at + 1],
				(o.count[h] - at) * sizeof(item));
		} else {
			h = (int)random_below(&r, HEADS);
			list_append(nodes, ITEMS + (uint32_t)h, item);
			o.items[h][o.count[h]++] = item;
		}
		check_equal(nodes, &o);
	}
}
END_TEST

START_TEST(removing_an_item_of_no_list_changes_nothing)
{
	struct list_node nodes[4];

	list_init(nodes, 4);
	list_append(nodes, 3, 0);
	list_remove(nodes, 1);
	ck_assert(!list_linked(nodes, 1));
	ck_assert_uint_eq(nodes[3].next, 0);
	list_remove(nodes, 0);
	ck_assert(!list_linked(nodes, 3));
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{lists_in_one_array_stay_in_order_and_apart, 0},
		{removing_an_item_of_no_list_changes_nothing, 0},
	};

	return unit_run("list", tests, ARRAY_LEN(tests));
}
