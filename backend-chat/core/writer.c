/* SPDX-License-Identifier: MIT */
/* See writer.h. */
#include "core/writer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_BYTES 256

void writer_init(struct writer *w, size_t max)
{
	*w = (struct writer){.max = max};
}

void writer_free(struct writer *w)
{
	free(w->bytes);
	writer_init(w, w->max);
}

/* Makes room for len bytes more and a NUL, which vsnprintf() adds. */
static bool has_room(struct writer *w, size_t len)
{
	size_t capacity = w->capacity ? w->capacity : FIRST_BYTES;
	char *bytes;

	if (w->failed || len > w->max - w->len) {
		w->failed = true;
		return false;
	}
	if (w->len + len < w->capacity)
		return true;
	while (capacity <= w->len + len)
		capacity *= 2;
	bytes = realloc(w->bytes, capacity);
	if (!bytes) {
		w->failed = true;
		return false;
	}
	w->bytes = bytes;
	w->capacity = capacity;
	return true;
}

void writer_put(struct writer *w, const void *bytes, size_t len)
{
	if (len == 0 || !has_room(w, len))
		return;
	memcpy(w->bytes + w->len, bytes, len);
	w->len += len;
}

void writer_put_slice(struct writer *w, struct slice s)
{
	writer_put(w, s.at, s.len);
}

void writer_printf(struct writer *w, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0)
		w->failed = true;
	if (len <= 0 || !has_room(w, (size_t)len))
		return;
	va_start(args, format);
	vsnprintf(w->bytes + w->len, (size_t)len + 1, format, args);
	va_end(args);
	w->len += (size_t)len;
}

/* Only what JSON demands is escaped (RFC 8259 section 7). */
void writer_put_json(struct writer *w, struct slice s)
{
	size_t plain = 0;

	writer_put(w, "\"", 1);
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.at[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		writer_put(w, s.at + plain, i - plain);
		plain = i + 1;
		if (c == '\n')
			writer_put(w, "\\n", 2);
		else if (c == '\t')
			writer_put(w, "\\t", 2);
		else if (c < 0x20)
			writer_printf(w, "\\u%04x", c);
		else
			writer_put(w, (const char[]){'\\', (char)c}, 2);
	}
	writer_put(w, s.at + plain, s.len - plain);
	writer_put(w, "\"", 1);
}
