/* SPDX-License-Identifier: MIT */
/* See text.h. */
#include "text.h"

#include <stdint.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/*
 * Decodes one character (RFC 3629: shortest form, no surrogates). Returns its
 * length; 0 if these bytes begin none.
 */
static size_t utf8_decode(const unsigned char *text, size_t len, uint32_t *c)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t need;

	if (text[0] < 0x80) {
		*c = text[0];
		return 1;
	}
	if (text[0] < 0xc2 || text[0] > 0xf4)
		return 0;
	need = text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
	if (len < need)
		return 0;
	*c = text[0] & (0x7fU >> need);
	for (size_t i = 1; i < need; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (text[i] & 0x3f);
	}
	if (*c < least[need] || *c > 0x10ffff || (*c >= 0xd800 && *c <= 0xdfff))
		return 0;
	return need;
}

static bool is_control(uint32_t c)
{
	if (c < 0x20)
		return c != '\t';
	return (c >= 0x7f && c <= 0x9f) ||     /* DEL, C1 */
	       (c >= 0x2028 && c <= 0x202e) || /* separators, overrides */
	       (c >= 0x2066 && c <= 0x2069);   /* isolates */
}

size_t text_clean(const char *text, size_t len, char *out)
{
	size_t out_len = 0;

	for (size_t at = 0, used; at < len; at += used) {
		const char *from = text + at;
		size_t add;
		uint32_t c = 0;

		used = utf8_decode((const unsigned char *)from, len - at, &c);
		add = used;
		if (used == 0) {
			from = REPLACEMENT;
			add = strlen(REPLACEMENT);
			used = 1;
		} else if (is_control(c)) {
			add = 0;
		}
		memcpy(out + out_len, from, add);
		out_len += add;
	}
	return out_len;
}

bool text_is_clean(const char *text, size_t len)
{
	uint32_t c;

	for (size_t at = 0, used; at < len; at += used) {
		used = utf8_decode((const unsigned char *)text + at, len - at,
				   &c);
		if (used == 0 || is_control(c))
			return false;
	}
	return true;
}
