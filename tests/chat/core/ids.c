/* SPDX-License-Identifier: MIT */
/* EPOCH-SEQ as text and as order; mids. */
#include "core/ids.h"
#include "core/mid.h"

#include "unit.h"

static const struct {
	const char *text;
	struct msgid id;
} texts[] = {
	{"0-0", {0, 0}},
	{"0-1", {0, 1}},
	{"1795935354652-17", {1795935354652, 17}},
	{"18446744073709551615-18446744073709551615", {UINT64_MAX, UINT64_MAX}},
};

START_TEST(an_id_survives_being_written_and_read)
{
	char text[MSGID_TEXT_MAX];
	struct msgid id = {7, 7};

	ck_assert(msgid_parse(slice_of(texts[_i].text), &id));
	ck_assert_uint_eq(id.epoch, texts[_i].id.epoch);
	ck_assert_uint_eq(id.seq, texts[_i].id.seq);
	ck_assert_uint_eq(msgid_format(id, text), strlen(texts[_i].text));
	ck_assert_str_eq(text, texts[_i].text);
}
END_TEST

static const char *const no_ids[] = {
	"",
	"-",
	"1",
	"1-",
	"-1",
	"1-2-3",
	" 1-2",
	"1-2 ",
	"1- 2",
	"+1-2",
	"1-0x2",
	"1--2",
	"*",
	"$",
	"a-b",
	"1_2",
	"18446744073709551616-1",
	"1-18446744073709551616",
	"99999999999999999999-1",
};

START_TEST(what_is_no_id_leaves_the_result_alone)
{
	struct msgid id = {7, 8};

	ck_assert_msg(!msgid_parse(slice_of(no_ids[_i]), &id), "\"%s\"",
		      no_ids[_i]);
	ck_assert_uint_eq(id.epoch, 7);
	ck_assert_uint_eq(id.seq, 8);
}
END_TEST

static const struct {
	struct msgid last, id, prev;
	enum msgid_step step;
} steps[] = {
	{{5, 7}, {5, 8}, {0, 0}, MSGID_NEXT},
	{{5, 7}, {5, 7}, {0, 0}, MSGID_OLD},
	{{5, 7}, {5, 6}, {0, 0}, MSGID_OLD},
	{{5, 7}, {5, 9}, {0, 0}, MSGID_JUMP},
	{{5, 7}, {4, 8}, {0, 0}, MSGID_OLD},
	/* An epoch begins: what was the end of the old one? */
	{{5, 7}, {6, 1}, {0, 0}, MSGID_JUMP},
	{{5, 7}, {6, 1}, {5, 7}, MSGID_NEXT},
	{{5, 7}, {6, 1}, {5, 8}, MSGID_JUMP},
	{{5, 7}, {6, 1}, {5, 5}, MSGID_NEXT}, /* its poster knew less */
	{{5, 7}, {6, 2}, {5, 7}, MSGID_JUMP},
	/* A log that is new altogether. */
	{{0, 0}, {6, 1}, {0, 0}, MSGID_NEXT},
	{{0, 0}, {6, 3}, {0, 0}, MSGID_JUMP},
};

START_TEST(a_step_tells_whether_something_is_missing)
{
	ck_assert_int_eq(
		msgid_step(steps[_i].last, steps[_i].id, steps[_i].prev),
		steps[_i].step);
}
END_TEST

static const struct {
	struct msgid last, floor;
	uint64_t now;
	struct msgid next;
} nexts[] = {
	{{0, 0}, {0, 0}, 100, {100, 1}}, /* the first message of all */
	{{90, 4}, {90, 4}, 100, {90, 5}},
	{{90, 4}, {0, 0}, 100, {90, 5}}, /* a poster that knows nothing */
	{{90, 4}, {90, 3}, 100, {90, 5}},
	{{90, 4}, {90, 5}, 100, {100, 1}}, /* the tail was lost */
	{{0, 0}, {90, 5}, 100, {100, 1}},  /* all was lost */
	{{0, 0}, {90, 5}, 90, {91, 1}},	   /* in the same ms */
	{{0, 0}, {90, 5}, 10, {91, 1}},	   /* the clock went back */
	{{80, 3}, {90, 5}, 10, {91, 1}},
};

START_TEST(no_id_is_given_twice)
{
	struct msgid next =
		msgid_next(nexts[_i].last, nexts[_i].floor, nexts[_i].now);

	ck_assert_int_eq(msgid_compare(next, nexts[_i].next), 0);
	ck_assert_int_gt(msgid_compare(next, nexts[_i].last), 0);
	ck_assert_int_gt(msgid_compare(next, nexts[_i].floor), 0);
}
END_TEST

static const struct {
	const char *mid;
	bool valid;
} mids[] = {
	{"", false},
	{"abcdefghijklmno", false},
	{"abcdefghijklmnop", true},
	{"ABCDEFGHIJKLMNOP-_09", true},
	{"abcdefghijklmno.", false},
	{"abcdefghijklmno ", false},
	{"abcdefghijklmno\xc3\xa9", false},
	{"0123456789012345678901234567890123456789012345678901234567890123",
	 true},
	{"01234567890123456789012345678901234567890123456789012345678901234",
	 false},
};

START_TEST(a_mid_is_16_to_64_safe_characters)
{
	ck_assert(mid_is_valid(slice_of(mids[_i].mid)) == mids[_i].valid);
}
END_TEST

START_TEST(a_made_mid_is_valid_and_says_all_its_bits)
{
	uint8_t bits[16] = {0};
	char zero[MID_MADE + 1], one[MID_MADE + 1];

	mid_make(bits, zero);
	ck_assert_str_eq(zero, "AAAAAAAAAAAAAAAAAAAAAA");
	ck_assert(mid_is_valid(slice_of(zero)));
	for (int bit = 0; bit < 128; bit++) {
		memset(bits, 0, sizeof(bits));
		bits[bit / 8] = (uint8_t)(1 << bit % 8);
		mid_make(bits, one);
		ck_assert(mid_is_valid(slice_of(one)));
		ck_assert_str_ne(one, zero);
	}
}
END_TEST

START_TEST(a_stored_mid_gives_back_the_clients_own)
{
	char stored[MID_STORED_MAX];
	struct slice mid = slice_of(mids[7].mid); /* the longest */
	size_t len = mid_store(SLICE("0a1b2c3d4e"), mid, stored);

	ck_assert_uint_eq(len, strlen(stored));
	ck_assert_uint_eq(len, MID_STORED_MAX - 1);
	ck_assert_int_eq(memcmp(stored, "0a1b2c.0123", 11), 0);
	ck_assert(slice_equal(mid_own(slice_of(stored)), mid));
	ck_assert_uint_eq(mid_own(SLICE("0a1b2c")).len, 0);
	ck_assert_uint_eq(mid_own(SLICE("0123456789abcdef")).len, 0);
	ck_assert_uint_eq(mid_own(SLICE("")).len, 0);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{an_id_survives_being_written_and_read, ARRAY_LEN(texts)},
		{what_is_no_id_leaves_the_result_alone, ARRAY_LEN(no_ids)},
		{a_step_tells_whether_something_is_missing, ARRAY_LEN(steps)},
		{no_id_is_given_twice, ARRAY_LEN(nexts)},
		{a_mid_is_16_to_64_safe_characters, ARRAY_LEN(mids)},
		{a_made_mid_is_valid_and_says_all_its_bits, 1},
		{a_stored_mid_gives_back_the_clients_own, 1},
	};

	return unit_run("ids", tests, ARRAY_LEN(tests));
}
