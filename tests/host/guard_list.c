/* SPDX-License-Identifier: MIT */
/*
 * guard_list.c - counted elements beside a table of counts that cannot be wrong
 */
#include "host/guard_list.h"
#include "unit.h"

enum { KEYS = 61 };

struct key {
	uint8_t bytes[5];
};

static struct key key_of(unsigned i)
{
	return (struct key){{0, 7, (uint8_t)(i * 37 % KEYS), 0xff, (uint8_t)i}};
}

static void check_same(const struct guard_list *l, const unsigned *counts)
{
	size_t wanted = 0;

	for (unsigned i = 0; i < KEYS; i++)
		wanted += counts[i] > 0;
	unit_check(l->n == wanted, "%zu elements, not %zu", l->n, wanted);
	for (size_t k = 0; k < l->n; k++) {
		const struct key *key =
			(const void *)(l->keys + k * sizeof(*key));
		const unsigned i = key->bytes[4];
		const struct key expected = key_of(i);

		unit_check(i < KEYS, "key %u", i);
		unit_check(memcmp(key, &expected, sizeof(*key)) == 0, "bytes");
		unit_check(l->counts[k] == counts[i], "count of %u: %u, not %u",
			   i, l->counts[k], counts[i]);
		unit_check(!k || memcmp(key - 1, key, sizeof(*key)) < 0,
			   "each once, in order");
	}
}

START_TEST(an_element_stays_until_it_was_removed_as_often_as_added)
{
	struct random r = unit_random(__func__);
	unsigned counts[KEYS] = {0};
	struct key first[3 * KEYS];
	struct guard_list l;

	for (unsigned i = 0; i < 3 * KEYS; i++) {
		const unsigned k = random_below(&r, KEYS);

		first[i] = key_of(k);
		counts[k]++;
	}
	ck_assert_int_eq(guard_list_fill(&l, first, sizeof(*first), 3 * KEYS),
			 0);
	check_same(&l, counts);
	for (unsigned n = 0; n < 20000; n++) {
		const unsigned k = random_below(&r, KEYS);
		const struct key key = key_of(k);

		if (random_below(&r, 2))
			unit_check(guard_list_add(&l, &key) == !counts[k]++,
				   "is it new?");
		else
			unit_check(guard_list_remove(&l, &key) ==
					   (counts[k] && --counts[k] == 0),
				   "is it gone?");
		check_same(&l, counts);
	}
	guard_list_free(&l);
}
END_TEST

START_TEST(an_empty_one_grows)
{
	struct guard_list l;

	ck_assert_int_eq(guard_list_fill(&l, NULL, sizeof(struct key), 0), 0);
	for (unsigned i = 0; i < KEYS; i++) {
		const struct key key = key_of(i);

		ck_assert(!guard_list_remove(&l, &key));
		ck_assert_int_eq(guard_list_add(&l, &key), 1);
	}
	ck_assert_uint_eq(l.n, KEYS);
	guard_list_free(&l);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{an_element_stays_until_it_was_removed_as_often_as_added, 1},
		{an_empty_one_grows, 1},
	};

	return unit_run("guard_list", tests, ARRAY_LEN(tests));
}
