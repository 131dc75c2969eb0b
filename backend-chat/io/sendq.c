/* SPDX-License-Identifier: MIT */
/* See sendq.h. */
#include "io/sendq.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define FIRST_CAPACITY 16
/* Pieces of one sendmsg(). */
#define PIECES_MAX 64

static struct blob *nth(const struct sendq *q, unsigned n)
{
	return q->refs[(q->first + n) & (q->capacity - 1)];
}

static bool reserve(struct sendq *q, unsigned count)
{
	unsigned capacity = q->capacity ? q->capacity : FIRST_CAPACITY;
	struct blob **refs;

	while (capacity < count)
		capacity *= 2;
	if (capacity == q->capacity)
		return true;
	refs = malloc(capacity * sizeof(struct blob *));
	if (!refs)
		return false;
	for (unsigned i = 0; i < q->count; i++)
		refs[i] = nth(q, i);
	free(q->refs);
	q->refs = refs;
	q->first = 0;
	q->capacity = capacity;
	return true;
}

static void put(struct sendq *q, struct blob *b)
{
	q->refs[(q->first + q->count++) & (q->capacity - 1)] = b;
	q->bytes += b->len;
}

bool sendq_append(struct sendq *q, struct blob *b)
{
	if (b->len == 0)
		return true;
	if (!reserve(q, q->count + 1))
		return false;
	put(q, blob_ref(b));
	return true;
}

bool sendq_move(struct sendq *to, struct sendq *from)
{
	if (from->count == 0)
		return true;
	if (!reserve(to, to->count + from->count))
		return false;
	for (unsigned i = 0; i < from->count; i++)
		put(to, nth(from, i));
	free(from->refs);
	memset(from, 0, sizeof(*from));
	return true;
}

/* Removes what was sent from the front. */
static void forget(struct sendq *q, size_t sent)
{
	q->bytes -= sent;
	sent += q->sent;
	while (q->count > 0 && sent >= nth(q, 0)->len) {
		sent -= nth(q, 0)->len;
		blob_unref(nth(q, 0));
		q->first = (q->first + 1) & (q->capacity - 1);
		q->count--;
	}
	q->sent = sent;
}

static ssize_t send_some(const struct sendq *q, int fd)
{
	struct iovec pieces[PIECES_MAX];
	struct msghdr message = {.msg_iov = pieces};
	size_t skip = q->sent;

	for (unsigned i = 0; i < q->count && i < PIECES_MAX; i++) {
		pieces[i].iov_base = nth(q, i)->bytes + skip;
		pieces[i].iov_len = nth(q, i)->len - skip;
		message.msg_iovlen++;
		skip = 0;
	}
	return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

int sendq_flush(struct sendq *q, int fd)
{
	while (q->count > 0) {
		ssize_t sent = send_some(q, fd);

		if (sent == -1 && errno == EINTR)
			continue;
		if (sent == -1)
			return errno == EAGAIN ? 0 : -errno;
		forget(q, (size_t)sent);
	}
	sendq_clear(q);
	return 0;
}

void sendq_clear(struct sendq *q)
{
	for (unsigned i = 0; i < q->count; i++)
		blob_unref(nth(q, i));
	free(q->refs);
	memset(q, 0, sizeof(*q));
}
