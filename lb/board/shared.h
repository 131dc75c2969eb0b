/* SPDX-License-Identifier: MIT */
/*
 * shared.h - memory that one process writes and others only read
 *
 * A memfd: it is there as far as it was written, nobody can change its size,
 * and only the mapping of the process that made it can be written to.
 */
#ifndef L4LB_SHARED_H
#define L4LB_SHARED_H

#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

struct shared {
	void *at; /* zeroed; NULL: none */
	size_t bytes;
	int fd; /* read-only and close-on-exec; -1: none */
};

/*
 * Makes memory of @bytes. @name: for /proc and messages, "l4lb-board". On an
 * error nothing is left and @err has the sentence.
 */
int shared_make(struct shared *out, const char *name, size_t bytes,
		struct err *err);
/* Accepts what is zeroed or was freed. */
void shared_free(struct shared *s);

/*
 * Maps the file or memfd @fd read-only, from byte @from (a multiple of 64 KiB)
 * to its end; borrows @fd during the call. The mapping can never be made
 * writable if @fd is read-only. Who maps a file that another process truncates
 * dies of it (SIGBUS); a memfd that may shrink is refused therefore. -EINVAL:
 * that, or it is no file of that length; others as of fstat(2) and mmap(2).
 * @name: what it is, for messages.
 */
int shared_map(int fd, const char *name, size_t from, const void **at,
	       size_t *bytes, struct err *err);

#endif
