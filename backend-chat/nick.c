/* SPDX-License-Identifier: MIT */
/* See nick.h. */
#include "nick.h"

#include <stdint.h>
#include <string.h>

#define LAST_CODEPOINT 0x10ffff

/* Decodes one UTF-8 character; a byte that begins none yields 0, invisible. */
static size_t next_character(const unsigned char *in, size_t len,
			     uint32_t *character)
{
	size_t need = in[0] >= 0xf0 ? 4 : in[0] >= 0xe0 ? 3 : 2;

	*character = in[0];
	if (in[0] < 0x80)
		return 1;
	*character = 0;
	if (in[0] < 0xc0 || need > len)
		return 1;
	*character = in[0] & (0x7fu >> need);
	for (size_t i = 1; i < need; i++) {
		if ((in[i] & 0xc0) != 0x80) {
			*character = 0;
			return 1;
		}
		*character = *character << 6 | (in[i] & 0x3f);
	}
	return need;
}

/* True for blanks, separators and invisible characters. */
static bool is_passed_over(uint32_t character)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{0x00, ' '},	  {'-', '-'},	      {'_', '_'},
		{0x7f, 0xa0},	  {0xad, 0xad},	      {0x34f, 0x34f},
		{0x61c, 0x61c},	  {0x115f, 0x1160},   {0x1680, 0x1680},
		{0x17b4, 0x17b5}, {0x180b, 0x180f},   {0x2000, 0x2015},
		{0x2028, 0x202f}, {0x203f, 0x2040},   {0x205f, 0x206f},
		{0x2212, 0x2212}, {0x2800, 0x2800},   {0x3000, 0x3000},
		{0x3164, 0x3164}, {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},
		{0xffa0, 0xffa0}, {0xe0000, 0xe0fff},
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (character >= ranges[i].first && character <= ranges[i].last)
			return true;
	return character > LAST_CODEPOINT;
}

/* Converts to lower case and to half width. */
static uint32_t folded(uint32_t character)
{
	if (character >= 0xff01 && character <= 0xff5e)
		character -= 0xff01 - '!';
	return character >= 'A' && character <= 'Z' ? character + 'a' - 'A'
						    : character;
}

bool nick_is_servers(const char *line, size_t len)
{
	static const char name[] = "[chatserv]";
	const unsigned char *in = (const unsigned char *)line;
	size_t matched = 0;

	while (len > 0) {
		uint32_t character;
		size_t used = next_character(in, len, &character);

		in += used;
		len -= used;
		character = folded(character);
		if (is_passed_over(character))
			continue;
		if (character != (unsigned char)name[matched])
			return false;
		if (++matched == strlen(name))
			return true;
	}
	return false;
}
