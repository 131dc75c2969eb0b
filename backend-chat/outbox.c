/* SPDX-License-Identifier: MIT */
/* See outbox.h. One growing buffer; sent bytes are removed from its front. */
#include "outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define OUTBOX_FIRST_CAPACITY 4096

static bool outbox_reserve(struct outbox *o, size_t need)
{
	size_t capacity = o->capacity ? o->capacity : OUTBOX_FIRST_CAPACITY;
	char *bytes;

	while (capacity < need)
		capacity *= 2;
	if (capacity == o->capacity)
		return true;
	bytes = realloc(o->bytes, capacity);
	if (!bytes)
		return false;
	o->bytes = bytes;
	o->capacity = capacity;
	return true;
}

bool outbox_append(struct outbox *o, const void *bytes, size_t len,
		   size_t limit)
{
	if (len == 0)
		return true;
	if (len > limit || o->len > limit - len)
		return false;
	if (o->start + o->len + len > o->capacity) {
		if (o->len)
			memmove(o->bytes, o->bytes + o->start, o->len);
		o->start = 0;
		if (!outbox_reserve(o, o->len + len))
			return false;
	}
	memcpy(o->bytes + o->start + o->len, bytes, len);
	o->len += len;
	return true;
}

int outbox_flush(struct outbox *o, int fd)
{
	while (o->len > 0) {
		ssize_t sent = send(fd, o->bytes + o->start, o->len,
				    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent == -1 && errno == EINTR)
			continue;
		if (sent == -1)
			return errno == EAGAIN ? 0 : -errno;
		o->start += (size_t)sent;
		o->len -= (size_t)sent;
	}
	outbox_clear(o);
	return 0;
}

void outbox_clear(struct outbox *o)
{
	free(o->bytes);
	memset(o, 0, sizeof(*o));
}
