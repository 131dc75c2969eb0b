/* SPDX-License-Identifier: MIT */
/*
 * Text that grows up to a limit given at the start: answers to commands, JSON,
 * HTTP responses. Nothing is written once something did not fit or there was no
 * memory: look at .failed at the end, not after each call.
 */
#ifndef CHAT_WRITER_H
#define CHAT_WRITER_H

#include "core/slice.h"

#include <stdbool.h>
#include <stddef.h>

struct writer {
	char *bytes; /* owned; NULL while empty */
	size_t len, capacity, max;
	bool failed;
};

/* max: the most bytes that it will hold. Takes no memory yet. */
void writer_init(struct writer *w, size_t max);
void writer_free(struct writer *w);

void writer_put(struct writer *w, const void *bytes, size_t len);
void writer_put_slice(struct writer *w, struct slice s);
void writer_printf(struct writer *w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* As a JSON string with its quotes. s is UTF-8 (utf8_is_valid()). */
void writer_put_json(struct writer *w, struct slice s);

/* What was written; holds until the next call. */
static inline struct slice writer_slice(const struct writer *w)
{
	return (struct slice){w->bytes, w->len};
}

#endif
