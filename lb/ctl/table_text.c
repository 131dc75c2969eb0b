/* SPDX-License-Identifier: MIT */
/*
 * table_text.c - text from outside, harmless on any terminal
 *
 * Bytes are UTF-8, whatever the locale. A character counts as one column: names
 * of the balancer are ASCII, so wider ones come only from somebody hostile.
 */
#include <stdint.h>
#include <string.h>

#include "ctl/table.h"

/* The length of the character at @text, 0 for bytes that are none. */
static unsigned utf8_char(const char *text, uint32_t *code)
{
	const unsigned char *b = (const unsigned char *)text;
	const unsigned len = b[0] < 0x80   ? 1
			     : b[0] < 0xc2 ? 0
			     : b[0] < 0xe0 ? 2
			     : b[0] < 0xf0 ? 3
			     : b[0] < 0xf5 ? 4
					   : 0;

	if (len <= 1) {
		*code = b[0];
		return len;
	}
	*code = b[0] & (0xffu >> (len + 1));
	for (unsigned i = 1; i < len; i++) {
		if ((b[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (b[i] & 0x3f);
	}
	return len;
}

/* Control characters, and those that turn or hide what stands around them. */
static bool is_harmless(uint32_t code)
{
	if (code < 0x20 || (code >= 0x7f && code < 0xa0))
		return false;
	return !(code >= 0x200b && code <= 0x200f) &&
	       !(code >= 0x2028 && code <= 0x202e) &&
	       !(code >= 0x2060 && code <= 0x206f) && code != 0xfeff;
}

unsigned table_text_width(const char *text)
{
	unsigned n = 0;
	uint32_t code;

	for (; *text; n++) {
		const unsigned len = utf8_char(text, &code);

		text += len ? len : 1;
	}
	return n;
}

void table_text(FILE *out, const char *text, unsigned width, unsigned pad,
		bool utf8)
{
	const unsigned all = table_text_width(text);
	const unsigned n = width && all > width ? width : all;
	uint32_t code;

	for (unsigned i = 0; i < n; i++) {
		const unsigned len = utf8_char(text, &code);

		if (n < all && i == n - 1)
			fputs(utf8 ? "\xe2\x80\xa6" : "~", out);
		else if (len == 0 || !is_harmless(code) || (len > 1 && !utf8))
			fputc('?', out);
		else
			fwrite(text, 1, len, out);
		text += len ? len : 1;
	}
	for (unsigned i = n; i < pad; i++)
		fputc(' ', out);
}
