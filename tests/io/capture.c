/* SPDX-License-Identifier: MIT */
/* capture.c - what a capture counts goes on beyond libpcap's 32 bits */
#include "io/capture.h"
#include "unit.h"

static const struct {
	uint64_t total;
	uint32_t counter;
	uint64_t expected;
} counts[] = {
	{0, 0, 0},
	{0, 7, 7},
	{7, 7, 7},
	{7, UINT32_MAX, UINT32_MAX},
	{UINT32_MAX, 0, 1ull << 32},
	{UINT32_MAX - 1, 5, (1ull << 32) + 5},
	{(3ull << 32) + 4000000000u, 4000000001u, (3ull << 32) + 4000000001u},
	{(3ull << 32) + 4000000000u, 1, (4ull << 32) + 1},
};

START_TEST(a_counter_that_wraps_goes_on)
{
	ck_assert_uint_eq(capture_widen(counts[_i].total, counts[_i].counter),
			  counts[_i].expected);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_counter_that_wraps_goes_on, ARRAY_LEN(counts)},
	};

	return unit_run("capture", tests, ARRAY_LEN(tests));
}
