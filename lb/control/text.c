/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/text.h"

#define FIRST_SIZE 256

/* Makes room for @more bytes and a final 0. */
static bool make_room(struct text *t, size_t more)
{
	size_t size = t->size ? t->size : FIRST_SIZE;
	char *bytes;

	if (t->failed)
		return false;
	if (t->len + more < t->size)
		return true;
	while (size <= t->len + more)
		size *= 2;
	bytes = realloc(t->bytes, size);
	if (!bytes) {
		t->failed = true;
		return false;
	}
	t->bytes = bytes;
	t->size = size;
	return true;
}

void text_put(struct text *t, const char *bytes, size_t len)
{
	if (!make_room(t, len))
		return;
	memcpy(t->bytes + t->len, bytes, len);
	t->len += len;
	t->bytes[t->len] = 0;
}

void text_add(struct text *t, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (len < 0 || !make_room(t, (size_t)len)) {
		t->failed = true;
		return;
	}
	va_start(args, fmt);
	(void)vsnprintf(t->bytes + t->len, (size_t)len + 1, fmt, args);
	va_end(args);
	t->len += (size_t)len;
}

void text_cut(struct text *t, size_t len)
{
	assert(len <= t->len);
	t->len = len;
	if (t->bytes)
		t->bytes[len] = 0;
}

const char *text_get(const struct text *t)
{
	return t->bytes ? t->bytes : "";
}

void text_free(struct text *t)
{
	free(t->bytes);
	memset(t, 0, sizeof(*t));
}

bool text_next_line(const char **text, char *line, size_t size)
{
	const size_t len = strcspn(*text, "\n");

	if (!**text)
		return false;
	snprintf(line, size, "%.*s", (int)len, *text);
	*text += len + ((*text)[len] == '\n');
	return true;
}
