/* SPDX-License-Identifier: MIT */
/* ring_size.c - rings take what a machine can spare, and no more */
#include "io/ring_size.h"
#include "unit.h"

#define KIB   1024ull
#define MIB   (1024 * KIB)
#define GIB   (1024 * MIB)
#define SYNS  (4 * MIB)
#define SUPER (64 * KIB)

static const struct {
	uint64_t memory;
	size_t slot;
	unsigned slots;
} rings[] = {
	{0, SUPER, RING_SLOTS_LARGE}, /* not known */
	{64 * GIB, SUPER, RING_SLOTS_LARGE},
	{2 * GIB, SUPER, RING_SLOTS_LARGE},
	{64 * GIB, 128 * KIB, RING_SLOTS_LARGE},
	{64 * GIB, 2 * KIB, RING_SLOTS_SMALL},
	{1 * GIB, 2 * KIB, RING_SLOTS_SMALL},
	{1 * GIB, SUPER, 618},
	{906 * MIB, SUPER, 540}, /* what a Pi of 1 GB has of it */
	{906 * MIB, 128 * KIB, 270},
	{256 * MIB, SUPER, 106},
	{64 * MIB, SUPER, RING_SLOTS_MIN},
	{1 * MIB, SUPER, RING_SLOTS_MIN},
};

START_TEST(a_ring_is_as_large_as_the_machine_allows)
{
	const unsigned slots =
		ring_slots(rings[_i].memory, rings[_i].slot, SYNS);

	ck_assert_uint_eq(slots, rings[_i].slots);
	/* The rest of the program takes up to 21 MiB. */
	if (rings[_i].memory && rings[_i].memory <= GIB)
		ck_assert_uint_le(slots * rings[_i].slot + SYNS,
				  (64 - 21) * MIB);
}
END_TEST

START_TEST(this_machine_says_what_it_has)
{
	const uint64_t memory = ring_machine_memory();

	ck_assert(memory == 0 || memory > MIB);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_ring_is_as_large_as_the_machine_allows, ARRAY_LEN(rings)},
		{this_machine_says_what_it_has, 1},
	};

	return unit_run("ring_size", tests, ARRAY_LEN(tests));
}
