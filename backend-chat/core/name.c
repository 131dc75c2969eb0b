/* SPDX-License-Identifier: MIT */
/* See name.h. */
#include "core/name.h"
#include "core/digest.h"
#include "core/utf8.h"
#include "nick.h"

#include <stdio.h>

/*
 * Blocks of Unicode above ASCII that hold no letters, marks or digits, or hold
 * characters that nobody sees.
 */
static const struct {
	uint32_t first, last;
} no_letters[] = {
	{0x80, 0xa9}, /* C1, Latin-1 punctuation */
	{0xab, 0xb1}, /* the same, and SOFT HYPHEN */
	{0xb4, 0xb4},	    {0xb6, 0xb8},
	{0xbb, 0xbf},	    {0xd7, 0xd7},
	{0xf7, 0xf7},	    {0x34f, 0x34f},
	{0x37e, 0x37e},	    {0x589, 0x58f},
	{0x600, 0x60f}, /* Arabic number signs, punctuation */
	{0x61b, 0x61f}, /* with ARABIC LETTER MARK */
	{0x66a, 0x66d},	    {0x70f, 0x70f},
	{0x115f, 0x1160}, /* Hangul fillers */
	{0x1680, 0x1680},   {0x17b4, 0x17b5},
	{0x180b, 0x180f},   {0x2000, 0x20cf}, /* punctuation, currency */
	{0x2100, 0x2bff}, /* symbols, arrows, boxes, dingbats */
	{0x2e00, 0x2e7f},   {0x2ff0, 0x3004},
	{0x3008, 0x3020},   {0x3030, 0x3030},
	{0x303d, 0x303f},   {0x3164, 0x3164},
	{0x3200, 0x33ff},		      /* enclosed and square CJK */
	{0x4dc0, 0x4dff},   {0xd800, 0xf8ff}, /* surrogates, private use */
	{0xfdd0, 0xfdff},   {0xfe00, 0xfe1f},
	{0xfe30, 0xfe6f},   {0xfeff, 0xff0f}, /* wide punctuation */
	{0xff1a, 0xff20},   {0xff3b, 0xff40},
	{0xff5b, 0xff65},   {0xffa0, 0xffa0},
	{0xffe0, 0xffff},   {0x1d000, 0x1d2ff}, /* music */
	{0x1f000, 0x1faff},			/* emoji, game pieces */
	{0x1fffe, 0x1ffff}, {0xe0000, 0x10ffff},
};

static bool is_ascii_word(uint32_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

static bool is_word(uint32_t c)
{
	if (c < 0x80)
		return is_ascii_word(c);
	for (size_t i = 0; i < sizeof(no_letters) / sizeof(no_letters[0]); i++)
		if (c >= no_letters[i].first && c <= no_letters[i].last)
			return false;
	return true;
}

/* From 1 to max characters, all of them letters and the like. */
static bool is_name(struct slice s, unsigned max)
{
	unsigned characters = 0;

	for (; s.len > 0; characters++)
		if (characters == max || !is_word(utf8_next(&s)))
			return false;
	return characters > 0;
}

bool name_is_valid(struct slice nick)
{
	char line[NAME_MAX_BYTES + 2];
	int len;

	if (!is_name(nick, NAME_CHARS_MAX))
		return false;
	len = snprintf(line, sizeof(line), "[%.*s]", SLICE_ARG(nick));
	return !nick_is_servers(line, (size_t)len);
}

bool name_is_room(struct slice room)
{
	return is_name(room, ROOM_CHARS_MAX);
}

bool name_is_topic(struct slice topic)
{
	char clean[UTF8_CLEAN_MAX(TOPIC_MAX)];
	size_t len;

	if (topic.len > TOPIC_MAX || !utf8_is_valid(topic))
		return false;
	len = utf8_clean(topic, clean);
	return len == topic.len && !memchr(clean, '\n', len);
}

static char folded(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

void name_key(struct slice name, char *out)
{
	for (size_t i = 0; i < name.len; i++)
		out[i] = folded(name.at[i]);
	out[name.len] = '\0';
}

bool name_same(struct slice a, struct slice b)
{
	return slice_equal_case(a, b);
}

void name_propose(struct slice taken, unsigned attempt,
		  char out[NAME_MAX_BYTES])
{
	char number[12];
	struct slice rest = taken;
	int digits = snprintf(number, sizeof(number), "%u", attempt);

	for (int kept = 0; rest.len > 0 && kept < NAME_CHARS_MAX - digits;
	     kept++)
		utf8_next(&rest);
	snprintf(out, NAME_MAX_BYTES, "%.*s%s", (int)(taken.len - rest.len),
		 taken.at, number);
}

void name_guest(uint32_t random, char out[GUEST_LEN + 1])
{
	snprintf(out, GUEST_LEN + 1, "guest-%04x", random & 0xffff);
}

void token_make(const uint8_t random[16], char out[TOKEN_LEN + 1])
{
	digest_hex(random, 16, out);
}

bool token_is_valid(struct slice token)
{
	if (token.len != TOKEN_LEN)
		return false;
	for (size_t i = 0; i < token.len; i++)
		if (!memchr("0123456789abcdef", token.at[i], 16))
			return false;
	return true;
}

bool token_hash(struct slice token, char out[TOKEN_HASH_LEN + 1])
{
	uint8_t hash[DIGEST_SHA256];

	if (!digest_sha256(token, hash))
		return false;
	digest_hex(hash, sizeof(hash), out);
	return true;
}

void name_inbox(struct slice nick, struct slice hash, char out[INBOX_MAX_BYTES])
{
	char key[NAME_MAX_BYTES];

	name_key(nick, key);
	snprintf(out, INBOX_MAX_BYTES, "@%s#%.8s", key, hash.at);
}
