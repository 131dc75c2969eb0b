/* SPDX-License-Identifier: MIT */
/*
 * latch.h - a value that one process writes and others read whole
 *
 * Two copies, and a number that says which one is valid: the writer changes the
 * other one, then the number. So a reader never waits for the writer, even if
 * that one is stopped or killed in the middle. Only if the value is written
 * twice while it is read must it be read again.
 *
 * A copy is copied by words, each of them with one instruction. The fences:
 * who sees a word of a later copy in the place of its own also sees a later
 * number after it.
 */
#ifndef L4LB_LATCH_H
#define L4LB_LATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LATCH_TRIES 10000 /* then the writer must be mad */

/* Two copies of .bytes follow it, each in cache lines of its own. */
struct latch {
	uint32_t number; /* copy number & 1 is valid; 0: never written */
} __attribute__((aligned(64)));

typedef unsigned long latch_word;

#define LATCH_LINE 64u

/* Of one copy: @bytes of the value are a multiple of 8. */
static inline size_t latch_stride(size_t bytes)
{
	return (bytes + LATCH_LINE - 1) / LATCH_LINE * LATCH_LINE;
}

/* Of the latch with both copies. */
static inline size_t latch_bytes(size_t bytes)
{
	return sizeof(struct latch) + 2 * latch_stride(bytes);
}

/* Both have @bytes, a multiple of the size of a word, and are aligned so. */
static inline void latch_store(void *to, const void *from, size_t bytes)
{
	latch_word *out = to;
	const latch_word *in = from;

	for (size_t i = 0; i < bytes / sizeof(*out); i++)
		__atomic_store_n(&out[i], in[i], __ATOMIC_RELAXED);
}

static inline void latch_load(void *to, const void *from, size_t bytes)
{
	latch_word *out = to;
	const latch_word *in = from;

	for (size_t i = 0; i < bytes / sizeof(*out); i++)
		out[i] = __atomic_load_n(&in[i], __ATOMIC_RELAXED);
}

static inline size_t latch_place(uint32_t number, size_t bytes)
{
	return sizeof(struct latch) + (number & 1) * latch_stride(bytes);
}

/* For the writer alone. */
static inline void latch_write(struct latch *l, const void *value, size_t bytes)
{
	uint32_t next = l->number + 1;

	if (!next) /* 0 means never */
		next = 2;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	latch_store((char *)l + latch_place(next, bytes), value, bytes);
	__atomic_store_n(&l->number, next, __ATOMIC_RELEASE);
}

/* For the writer alone: what it wrote last; zeros before. */
static inline const void *latch_last(const struct latch *l, size_t bytes)
{
	return (const char *)l + latch_place(l->number, bytes);
}

/* False: it was never written, or at each try again meanwhile. */
static inline bool latch_read(const struct latch *l, void *value, size_t bytes)
{
	for (int i = 0; i < LATCH_TRIES; i++) {
		const uint32_t number =
			__atomic_load_n(&l->number, __ATOMIC_ACQUIRE);

		if (!number)
			return false;
		latch_load(value, (const char *)l + latch_place(number, bytes),
			   bytes);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&l->number, __ATOMIC_RELAXED) == number)
			return true;
	}
	return false;
}

#endif
