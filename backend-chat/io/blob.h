/* SPDX-License-Identifier: MIT */
/*
 * Immutable bytes that many queues share. Whoever keeps one holds a reference;
 * the last reference frees it. References may be taken and dropped by any
 * thread.
 */
#ifndef CHAT_BLOB_H
#define CHAT_BLOB_H

#include <stdatomic.h>
#include <stddef.h>

struct blob {
	atomic_uint refs;
	size_t len;
	char bytes[];
};

/* One reference for the caller, who fills .bytes. NULL: no memory. */
struct blob *blob_new(size_t len);
struct blob *blob_copy(const void *bytes, size_t len);

struct blob *blob_ref(struct blob *b);
/* Accepts NULL. */
void blob_unref(struct blob *b);

#endif
