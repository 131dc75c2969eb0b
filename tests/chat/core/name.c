/* SPDX-License-Identifier: MIT */
/* Names of people and rooms, tokens, inboxes. */
#include "core/name.h"
#include "core/utf8.h"

#include "unit.h"

static const struct {
	const char *name;
	bool valid;
} nicks[] = {
	{"lan", true},
	{"Nguy\xe1\xbb\x85n", true},
	{"\xea\xb9\x80\xec\xb2\xa0\xec\x88\x98", true}, /* Korean */
	{"\xe5\xb0\x8f\xe6\x98\x8e", true},		/* Chinese */
	{"\xd0\x98\xd0\xb2\xd0\xb0\xd0\xbd", true},	/* Russian */
	{"\xe0\xb8\xaa\xe0\xb8\xa1\xe0\xb8\x8a\xe0\xb8\xb1\xe0\xb8\xa2", true},
	{"\xd9\x85\xd8\xad\xd9\x85\xd8\xaf", true}, /* Arabic */
	{"a_b-c.9", true},
	{"q", true},
	{"", false},
	{"a b", false},
	{"a]b", false},
	{"a[b", false},
	{"a{b}", false},
	{"a@b", false},
	{"a#b", false},
	{"a/b", false},
	{"a\nb", false},
	{"a\x7f", false},
	{"\xff", false},
	{"a\xc2\xa0z", false},	     /* NO-BREAK SPACE */
	{"a\xe2\x80\x8bz", false},   /* ZERO WIDTH SPACE */
	{"a\xe2\x80\xaez", false},   /* RIGHT-TO-LEFT OVERRIDE */
	{"\xe3\x85\xa4", false},     /* HANGUL FILLER */
	{"\xf0\x9f\x98\x80", false}, /* an emoji */
	{"\xef\xbc\xbb"
	 "a",
	 false},		 /* a wide bracket */
	{"\xee\x80\x80", false}, /* private */
	{"chat_serv", false},
	{"Chat-Serv", false},
	{"chatserv", false},
	{"chat_server", true},
	{"12345678901234567890123456789012", true},
	{"123456789012345678901234567890123", false},
};

START_TEST(a_nick_is_letters_of_any_script)
{
	ck_assert_msg(name_is_valid(slice_of(nicks[_i].name)) ==
			      nicks[_i].valid,
		      "%s", nicks[_i].name);
}
END_TEST

START_TEST(a_room_is_the_same_but_longer)
{
	char name[4 * (ROOM_CHARS_MAX + 1) + 1];

	ck_assert(name_is_room(SLICE("lobby")));
	ck_assert(name_is_room(SLICE("chat_serv")));
	ck_assert(!name_is_room(SLICE("@lan#12345678")));
	ck_assert(!name_is_room(SLICE("a}b")));
	ck_assert(!name_is_room(SLICE("")));
	for (size_t i = 0; i < sizeof(name) - 1; i++)
		name[i] = "\xf0\xa0\x80\x80"[i % 4]; /* a CJK character */
	ck_assert(name_is_room((struct slice){name, 4 * ROOM_CHARS_MAX}));
	ck_assert(!name_is_room((struct slice){name, sizeof(name) - 1}));
}
END_TEST

START_TEST(a_topic_is_one_clean_line)
{
	char longest[TOPIC_MAX + 1];

	memset(longest, 'x', sizeof(longest));
	ck_assert(name_is_topic(SLICE("")));
	ck_assert(name_is_topic(SLICE("h\xc3\xb4m nay: [x]")));
	ck_assert(name_is_topic((struct slice){longest, TOPIC_MAX}));
	ck_assert(!name_is_topic((struct slice){longest, TOPIC_MAX + 1}));
	ck_assert(!name_is_topic(SLICE("a\n[bob] b")));
	ck_assert(!name_is_topic(SLICE("a\x1b[0m")));
	ck_assert(!name_is_topic(SLICE("a\xff")));
}
END_TEST

START_TEST(case_makes_no_other_name)
{
	char key[NAME_MAX_BYTES];

	ck_assert(name_same(SLICE("Lan"), SLICE("lAN")));
	ck_assert(!name_same(SLICE("lan"), SLICE("lanh")));
	name_key(SLICE("L\xc3\x82N.9"), key);
	ck_assert_str_eq(key, "l\xc3\x82n.9");
}
END_TEST

START_TEST(a_proposal_is_a_valid_name)
{
	char out[NAME_MAX_BYTES];

	name_propose(SLICE("lan"), 2, out);
	ck_assert_str_eq(out, "lan2");
	for (size_t i = 0; i < ARRAY_LEN(nicks); i++) {
		if (!nicks[i].valid)
			continue;
		name_propose(slice_of(nicks[i].name), 4000000000, out);
		ck_assert(name_is_valid(slice_of(out)));
	}
	name_propose(SLICE("12345678901234567890123456789012"), 13, out);
	ck_assert_str_eq(out, "12345678901234567890123456789013");
}
END_TEST

START_TEST(tokens_guests_and_inboxes)
{
	const uint8_t random[16] = {0xde, 0xad, 0xbe, 0xef};
	char token[TOKEN_LEN + 1], hash[TOKEN_HASH_LEN + 1];
	char guest[GUEST_LEN + 1], inbox[INBOX_MAX_BYTES];

	token_make(random, token);
	ck_assert_str_eq(token, "deadbeef000000000000000000000000");
	ck_assert(token_is_valid(slice_of(token)));
	ck_assert(!token_is_valid(SLICE("deadbeef")));
	ck_assert(!token_is_valid(SLICE("DEADBEEF000000000000000000000000")));
	ck_assert(token_hash(slice_of(token), hash));
	ck_assert_uint_eq(strlen(hash), TOKEN_HASH_LEN);
	ck_assert_str_ne(hash, token);
	name_guest(0xffff1a2b, guest);
	ck_assert_str_eq(guest, "guest-1a2b");
	ck_assert(name_is_valid(slice_of(guest)));
	name_inbox(SLICE("Lan"), SLICE("0123456789abcdef"), inbox);
	ck_assert_str_eq(inbox, "@lan#01234567");
	ck_assert(!name_is_room(slice_of(inbox))); /* nobody can join it */
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_nick_is_letters_of_any_script, ARRAY_LEN(nicks)},
		{a_room_is_the_same_but_longer, 1},
		{a_topic_is_one_clean_line, 1},
		{case_makes_no_other_name, 1},
		{a_proposal_is_a_valid_name, 1},
		{tokens_guests_and_inboxes, 1},
	};

	return unit_run("name", tests, ARRAY_LEN(tests));
}
