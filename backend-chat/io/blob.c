/* SPDX-License-Identifier: MIT */
/* See blob.h. */
#include "io/blob.h"

#include <stdlib.h>
#include <string.h>

struct blob *blob_new(size_t len)
{
	struct blob *b = malloc(sizeof(*b) + len);

	if (!b)
		return NULL;
	atomic_init(&b->refs, 1);
	b->len = len;
	return b;
}

struct blob *blob_copy(const void *bytes, size_t len)
{
	struct blob *b = blob_new(len);

	if (b)
		memcpy(b->bytes, bytes, len);
	return b;
}

struct blob *blob_ref(struct blob *b)
{
	atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return b;
}

void blob_unref(struct blob *b)
{
	/* Whoever frees it must see what all others did with it before. */
	if (b &&
	    atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1)
		free(b);
}
