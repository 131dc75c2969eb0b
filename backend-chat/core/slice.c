/* SPDX-License-Identifier: MIT */
/* See slice.h. */
#include "core/slice.h"

#include <strings.h>

bool slice_equal_case(struct slice a, struct slice b)
{
	return a.len == b.len &&
	       (a.len == 0 || strncasecmp(a.at, b.at, a.len) == 0);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct slice slice_trim(struct slice s)
{
	while (s.len > 0 && is_blank(s.at[0]))
		s = slice_from(s, 1);
	while (s.len > 0 && is_blank(s.at[s.len - 1]))
		s.len--;
	return s;
}

bool slice_u64(struct slice s, uint64_t max, uint64_t *out)
{
	uint64_t number = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned digit = (unsigned)(s.at[i] - '0');

		if (digit > 9 || digit > max || number > (max - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	*out = number;
	return true;
}

bool slice_number(struct slice s, unsigned long max, unsigned long *out)
{
	uint64_t number;

	if (!slice_u64(s, max, &number))
		return false;
	*out = (unsigned long)number;
	return true;
}
