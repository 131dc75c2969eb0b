/* SPDX-License-Identifier: MIT */
/*
 * reader.h - a second process that maps what the test writes, as l4lb-api does
 *
 * The test writes while the other process reads; that one ends by what it found
 * wrong, a sentence, or by nothing.
 */
#ifndef L4LB_READER_H
#define L4LB_READER_H

#include <stdarg.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "board/shared.h"
#include "unit.h"

/* In memory that both processes have. */
struct common {
	uint32_t reads;			/* it has made so many */
	uint32_t over;			/* the writer is done */
	uint64_t seen, lost, lost_ends; /* for the test to compare */
	char wrong[256];		/* "": nothing */
};

static inline struct common *common_new(void)
{
	void *at = mmap(NULL, sizeof(struct common), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(at, MAP_FAILED);
	return at;
}

__attribute__((format(printf, 2, 3), noreturn)) static inline void is_wrong(
	struct common *c, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(c->wrong, sizeof(c->wrong), fmt, args);
	va_end(args);
	_exit(1);
}

static inline bool is_over(const struct common *c)
{
	return __atomic_load_n(&c->over, __ATOMIC_ACQUIRE);
}

static inline void has_read(struct common *c)
{
	__atomic_add_fetch(&c->reads, 1, __ATOMIC_RELEASE);
}

/*
 * For the writer: waits until the reader has made @reads more, or has ended.
 * Both share one processor at times.
 */
static inline void wait_reads(const struct common *c, uint32_t reads)
{
	const uint32_t from = __atomic_load_n(&c->reads, __ATOMIC_ACQUIRE);

	while (__atomic_load_n(&c->reads, __ATOMIC_ACQUIRE) - from < reads &&
	       !c->wrong[0])
		usleep(100);
}

/* Maps @fd as another process does, read-only and whole. */
static inline const void *map_whole(int fd, size_t from, size_t *bytes)
{
	const void *at;
	struct err err;

	if (shared_map(fd, "test", from, &at, bytes, &err)) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
	return at;
}

/* Ends the reader, and fails if it found something wrong. */
static inline void end_reader(struct common *c, pid_t pid)
{
	int status;

	__atomic_store_n(&c->over, 1, __ATOMIC_RELEASE);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(!c->wrong[0], "%s", c->wrong);
	ck_assert_int_eq(status, 0);
}

#endif
