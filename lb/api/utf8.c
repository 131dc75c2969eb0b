/* SPDX-License-Identifier: MIT */
#include <stdint.h>

#include "api/utf8.h"

size_t utf8_length(const char *bytes, size_t len)
{
	const uint8_t *b = (const uint8_t *)bytes;
	uint32_t code;
	size_t n;

	if (!len)
		return 0;
	if (b[0] < 0x80)
		return 1;
	n = b[0] >= 0xf0 ? 4 : b[0] >= 0xe0 ? 3 : 2;
	if (b[0] < 0xc2 || b[0] > 0xf4 || len < n)
		return 0;
	code = b[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((b[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (b[i] & 0x3fu);
	}
	if ((n == 3 && code < 0x800) || (n == 4 && code < 0x10000) ||
	    code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return n;
}

bool utf8_is_plain(const char *bytes, size_t len)
{
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		const uint8_t c = (uint8_t)bytes[i];

		n = utf8_length(bytes + i, len - i);
		if (!n || c < 0x20 || c == 0x7f ||
		    (n == 2 && c == 0xc2 && (uint8_t)bytes[i + 1] < 0xa0))
			return false;
	}
	return true;
}
