/* SPDX-License-Identifier: MIT */
/* csum.c - the Internet checksum against the plainest sum there is */
#include <arpa/inet.h>
#include <string.h>

#include "core/csum.h"
#include "frames.h"
#include "unit.h"

#define CASES 20000

static const uint16_t boundary[] = {0x0000, 0x0001, 0x00ff, 0x0100, 0x7fff,
				    0x8000, 0xff00, 0xfffe, 0xffff};

static void fill(struct random *r, uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)random_next(r);
}

static uint16_t word_at(const uint8_t *data, size_t at)
{
	uint16_t word;

	memcpy(&word, data + at, sizeof(word));
	return word;
}

/* Complemented, in the byte order of memory, as in a header. */
static uint16_t check_of(const uint8_t *data, size_t len)
{
	return htons((uint16_t)~frame_sum(data, len));
}

START_TEST(rfc1071_example_has_the_sum_the_rfc_gives)
{
	const uint8_t data[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

	ck_assert_uint_eq(ntohs(csum_fold(csum_add(0, data, 8))), 0xddf2);
}
END_TEST

/* Below 0x10000 nothing folds; above, the sum is kept modulo 2^16 - 1, and a
 * sum that is not zero never becomes zero.
 */
START_TEST(fold_is_the_remainder_modulo_ffff)
{
	struct random r = unit_random(__func__);
	const uint64_t edges[] = {0,	       1,
				  0xffff,      0x10000,
				  0x1ffff,     0xffffffff,
				  0x100000000, 0xffffffffffff,
				  UINT64_MAX,  UINT64_MAX - 1};

	for (int i = 0; i < CASES; i++) {
		uint64_t sum = random_next(&r) >> random_below(&r, 64);
		uint16_t want;

		if (i < (int)ARRAY_LEN(edges))
			sum = edges[i];
		want = sum && sum % 0xffff == 0 ? 0xffff
						: (uint16_t)(sum % 0xffff);
		ck_assert_msg(csum_fold(sum) == want, "%" PRIx64, sum);
	}
}
END_TEST

START_TEST(sum_is_right_at_every_length_and_alignment)
{
	struct random r = unit_random(__func__);
	uint8_t data[300];

	fill(&r, data, sizeof(data));
	for (size_t start = 0; start < 17; start++)
		for (size_t len = 0; len <= 256; len++)
			ck_assert_msg(ntohs(csum_fold(csum_add(0, data + start,
							       len))) ==
					      frame_sum(data + start, len),
				      "start %zu length %zu", start, len);
}
END_TEST

START_TEST(sum_of_a_whole_super_packet_is_right)
{
	static uint8_t data[65536];
	struct random r = unit_random(__func__);

	for (size_t len = 65500; len <= 65535; len++) {
		size_t start = len % 8 != 0;

		fill(&r, data, sizeof(data));
		if (len % 5 == 0)
			memset(data, 0xff, sizeof(data));
		ck_assert_uint_eq(
			ntohs(csum_fold(csum_add(0, data + start, len))),
			frame_sum(data + start, len));
	}
}
END_TEST

START_TEST(sum_of_pieces_is_the_sum_of_the_whole)
{
	struct random r = unit_random(__func__);
	uint8_t data[200];

	for (int i = 0; i < CASES / 10; i++) {
		size_t len = random_below(&r, sizeof(data));
		uint64_t sum = 0;

		fill(&r, data, len);
		for (size_t at = 0; at < len;) {
			size_t piece = 2 * random_below(&r, 40);

			if (piece > len - at)
				piece = len - at;
			sum = csum_add(sum, data + at, piece);
			at += piece;
		}
		ck_assert_uint_eq(ntohs(csum_fold(sum)), frame_sum(data, len));
	}
}
END_TEST

/* For any header and any change of one word, with a header that is never all
 * zero: then 0xffff is never right, and RFC 1624 must not produce it.
 */
START_TEST(update_equals_recomputing)
{
	struct random r = unit_random(__func__);
	uint8_t hdr[20];

	for (int i = 0; i < CASES; i++) {
		size_t at = 2 + 2 * random_below(&r, 9);
		uint16_t from, before, to = (uint16_t)random_next(&r);

		fill(&r, hdr, sizeof(hdr));
		hdr[0] = 0x45;
		if (i % 3 == 0)
			to = boundary[i / 3 % ARRAY_LEN(boundary)];
		if (i % 5 == 0)
			memset(hdr + at, i % 2 ? 0xff : 0, 2);
		if (i % 7 == 0) /* so that the sum comes near its wrap */
			memset(hdr + 2, 0, sizeof(hdr) - 2);
		before = check_of(hdr, sizeof(hdr));
		from = word_at(hdr, at);
		memcpy(hdr + at, &to, 2);
		ck_assert_msg(csum_update(before, from, to) ==
				      check_of(hdr, sizeof(hdr)),
			      "case %d: word %zu, %04x -> %04x", i, at / 2,
			      from, to);
	}
}
END_TEST

/* RFC 1624 section 4: with RFC 1141's form this gives 0xffff. */
START_TEST(update_gives_zero_where_zero_is_right)
{
	ck_assert_uint_eq(
		csum_update(htons(0xdd2f), htons(0x5555), htons(0x3285)), 0);
}
END_TEST

START_TEST(update_of_a_word_by_itself_changes_nothing)
{
	for (size_t i = 0; i < ARRAY_LEN(boundary); i++)
		for (uint32_t check = 0; check < 0xffff; check++)
			ck_assert_uint_eq(csum_update((uint16_t)check,
						      boundary[i], boundary[i]),
					  check);
}
END_TEST

START_TEST(update_of_a_field_equals_recomputing)
{
	struct random r = unit_random(__func__);
	uint8_t data[40], to[16];

	for (int i = 0; i < CASES; i++) {
		size_t words = random_below(&r, 9);
		size_t at = 2 + 2 * random_below(&r, 10);
		uint16_t before, after;

		fill(&r, data, sizeof(data));
		data[0] = 0x45;
		fill(&r, to, sizeof(to));
		if (i % 4 == 0)
			memset(to, 0xff, sizeof(to));
		if (i % 4 == 1)
			memset(to, 0, sizeof(to));
		before = check_of(data, sizeof(data));
		after = csum_update_field(before, data + at, to, words);
		memcpy(data + at, to, words * 2);
		ck_assert_msg(after == check_of(data, sizeof(data)),
			      "case %d: %zu words at %zu", i, words, at);
	}
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{rfc1071_example_has_the_sum_the_rfc_gives, 0},
		{fold_is_the_remainder_modulo_ffff, 0},
		{sum_is_right_at_every_length_and_alignment, 0},
		{sum_of_a_whole_super_packet_is_right, 0},
		{sum_of_pieces_is_the_sum_of_the_whole, 0},
		{update_equals_recomputing, 0},
		{update_gives_zero_where_zero_is_right, 0},
		{update_of_a_word_by_itself_changes_nothing, 0},
		{update_of_a_field_equals_recomputing, 0},
	};

	return unit_run("csum", tests, ARRAY_LEN(tests));
}
