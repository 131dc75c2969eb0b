/* SPDX-License-Identifier: MIT */
/*
 * Bytes that somebody else owns: a pointer and a length, no terminating NUL. A
 * slice holds as long as what it points into, which the header that hands it
 * out says. An empty slice may have a NULL pointer.
 */
#ifndef CHAT_SLICE_H
#define CHAT_SLICE_H

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>
#include <string.h>

struct slice {
	const char *at;
	size_t len;
};

/* Of a literal. */
#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})
/* For printf's "%.*s". */
#define SLICE_ARG(s) ((int)(s).len), ((s).at ? (s).at : "")

static inline struct slice slice_of(const char *text)
{
	return (struct slice){text, text ? strlen(text) : 0};
}

/* Without its first bytes; start: at most s.len. */
static inline struct slice slice_from(struct slice s, size_t start)
{
	/* NULL + 0 is undefined in C. */
	return (struct slice){s.at ? s.at + start : NULL, s.len - start};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || !memcmp(a.at, b.at, a.len));
}

/* ASCII letters of either case are the same. */
bool slice_equal_case(struct slice a, struct slice b);

/* Without the spaces and tabs at both ends. */
struct slice slice_trim(struct slice s);

/* A decimal number from 0 to max, digits alone; false for all else. */
bool slice_number(struct slice s, unsigned long max, unsigned long *out);
/* The same for what needs 64 bits everywhere. */
bool slice_u64(struct slice s, uint64_t max, uint64_t *out);

#endif
