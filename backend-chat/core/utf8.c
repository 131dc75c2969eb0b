/* SPDX-License-Identifier: MIT */
/* See utf8.h. */
#include "core/utf8.h"

#define LAST_CODEPOINT	0x10ffff
#define REPLACEMENT	"\xef\xbf\xbd"
#define REPLACEMENT_LEN (sizeof(REPLACEMENT) - 1)

/* The length of the character at the start of s, or 0 if it is no UTF-8. */
static size_t decode(struct slice s, uint32_t *out)
{
	const unsigned char *in = (const unsigned char *)s.at;
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t character;
	size_t need;

	*out = in[0];
	if (in[0] < 0x80)
		return 1;
	if (in[0] < 0xc2 || in[0] > 0xf4)
		return 0;
	need = in[0] >= 0xf0 ? 4 : in[0] >= 0xe0 ? 3 : 2;
	if (need > s.len)
		return 0;
	character = in[0] & (0x7fu >> need);
	for (size_t i = 1; i < need; i++) {
		if ((in[i] & 0xc0) != 0x80)
			return 0;
		character = character << 6 | (in[i] & 0x3fu);
	}
	if (character < least[need] || character > LAST_CODEPOINT ||
	    (character >= 0xd800 && character <= 0xdfff))
		return 0;
	*out = character;
	return need;
}

uint32_t utf8_next(struct slice *s)
{
	uint32_t character;
	size_t len = decode(*s, &character);

	*s = slice_from(*s, len ? len : 1);
	return len ? character : 0;
}

bool utf8_is_valid(struct slice s)
{
	uint32_t character;
	size_t len;

	for (; s.len > 0; s = slice_from(s, len)) {
		len = decode(s, &character);
		if (len == 0)
			return false;
	}
	return true;
}

/* Controls of ASCII and C1, and what turns the direction of writing. */
static bool is_left_out(uint32_t c)
{
	return (c < 0x20 && c != '\t' && c != '\n') ||
	       (c >= 0x7f && c <= 0x9f) || c == 0x061c || c == 0x200e ||
	       c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069);
}

size_t utf8_clean(struct slice s, char *out)
{
	size_t written = 0, len;

	for (; s.len > 0; s = slice_from(s, len)) {
		uint32_t character;

		len = decode(s, &character);
		if (len == 0) {
			memcpy(out + written, REPLACEMENT, REPLACEMENT_LEN);
			written += REPLACEMENT_LEN;
			len = 1;
		} else if (!is_left_out(character)) {
			memcpy(out + written, s.at, len);
			written += len;
		}
	}
	return written;
}
