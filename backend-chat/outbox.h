/* SPDX-License-Identifier: MIT */
/*
 * Bytes that wait until a socket takes them. Takes no memory while empty, which
 * is nearly always. Not locked: the caller must hold whatever guards it.
 */
#ifndef CHAT_OUTBOX_H
#define CHAT_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>

struct outbox {
	char *bytes; /* owned; NULL while empty */
	size_t start, len, capacity;
};

/* Returns false and adds nothing above limit or without memory. */
bool outbox_append(struct outbox *o, const void *bytes, size_t len,
		   size_t limit);

/*
 * Sends what fd takes without blocking. Returns 0, also if the socket is full,
 * or the -errno of a broken connection.
 */
int outbox_flush(struct outbox *o, int fd);

void outbox_clear(struct outbox *o);

#endif
