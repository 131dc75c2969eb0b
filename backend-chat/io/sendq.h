/* SPDX-License-Identifier: MIT */
/*
 * What waits until a socket takes it: a list of references to shared bytes, so
 * a line that a thousand clients wait for is in memory once. Takes no memory
 * while empty, which is nearly always. One worker owns it; not locked.
 */
#ifndef CHAT_SENDQ_H
#define CHAT_SENDQ_H

#include "core/msg.h"
#include "io/blob.h"

#include <stdbool.h>

/* What a reference is to: shared bytes, or a form of a message (msg.h). */
enum form { FORM_BLOB, FORM_LINE, FORM_JSON_LINE, FORM_FRAME };

struct sendq_item {
	void *what; /* struct blob or struct msg */
	enum form form;
};

struct sendq {
	struct sendq_item *items; /* a ring; NULL while empty */
	unsigned first, count;
	unsigned capacity; /* a power of two */
	size_t sent;	   /* bytes of the first that were sent */
	size_t bytes;	   /* bytes of all that were not */
};

/* Takes a reference of its own. False: no memory, and nothing was added. */
bool sendq_append(struct sendq *q, struct blob *b);
bool sendq_append_msg(struct sendq *q, struct msg *m, enum form form);

/* Moves everything behind what *to has. False: no memory, nothing moved. */
bool sendq_move(struct sendq *to, struct sendq *from);

/*
 * Sends what fd takes without blocking. Returns 0, also if the socket is full,
 * or the -errno of a broken connection.
 */
int sendq_flush(struct sendq *q, int fd);

void sendq_clear(struct sendq *q);

#endif
