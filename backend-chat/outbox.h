/* SPDX-License-Identifier: MIT */
/*
 * Bytes that wait for a socket to take them. Costs no memory while empty,
 * which is nearly always. Not locked: whoever owns it also owns the lock.
 */
#ifndef CHAT_OUTBOX_H
#define CHAT_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>

struct outbox {
	char *bytes; /* owned, NULL while empty */
	size_t start, len, capacity;
};

/* False, and nothing added, if that would exceed limit or memory is short. */
bool outbox_append(struct outbox *o, const void *bytes, size_t len,
		   size_t limit);

/*
 * Send what fd takes without waiting. Returns 0 or -errno of a broken
 * connection; a full socket is no error.
 */
int outbox_flush(struct outbox *o, int fd);

void outbox_clear(struct outbox *o);

#endif
